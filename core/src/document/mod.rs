//! Clinical documents as Automerge data: their schema, their projection, and the gate before them.

pub mod gate;
