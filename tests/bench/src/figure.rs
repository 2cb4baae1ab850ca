//! A figure as it is printed.

use serde::Serialize;

/// One figure.
#[derive(Serialize)]
pub(crate) struct Figure<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: f64,
    pub(crate) unit: &'a str,
    /// What it should be, and whether less or more is better.
    pub(crate) goal: Option<(&'a str, f64)>,
    /// The floor measured in the same run, in the same unit.
    pub(crate) floor: Option<f64>,
}

impl Figure<'_> {
    /// Prints the figure as one JSON line.
    pub(crate) fn print(&self) {
        let met = self.goal.map(|(direction, goal)| match direction {
            "<=" => self.value <= goal,
            _ => self.value >= goal,
        });
        let line = serde_json::json!({
            "figure": self.name,
            "value": round(self.value),
            "unit": self.unit,
            "goal": self.goal.map(|(direction, goal)| format!("{direction} {goal}")),
            "met": met,
            "floor": self.floor.map(round),
            "ratio_to_floor": self.floor.map(|floor| round(self.value / floor)),
        });
        println!("{line}");
    }
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
