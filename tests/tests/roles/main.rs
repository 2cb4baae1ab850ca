//! S1 by roles: every cell of docs/roles.md, on every way into a device, with two tenants and two units of one.

mod audit;
mod clinic;
mod earlier;
mod live;
mod reading;
mod table;
mod tails;
mod ways;
mod writing;
