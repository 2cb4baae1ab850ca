//! Roles: which compartments of their units a user works with. Deny by default.

use vereda_core::record::Compartment;

/// What a user may see and write in their units.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Registers patients and keeps their records.
    Reception,
    /// Also the clinical timeline and chart.
    Clinician,
    /// Also what a unit keeps closer (mental health, HIV …).
    Specialist,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Reception, Self::Clinician, Self::Specialist];

    /// The name in the store and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reception => "reception",
            Self::Clinician => "clinician",
            Self::Specialist => "specialist",
        }
    }

    /// The compartments.
    pub fn compartments(self) -> &'static [Compartment] {
        match self {
            Self::Reception => &[Compartment::Identity],
            Self::Clinician => &[Compartment::Identity, Compartment::Clinical],
            Self::Specialist => &[
                Compartment::Identity,
                Compartment::Clinical,
                Compartment::Sensitive,
            ],
        }
    }
}

impl std::str::FromStr for Role {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or(())
    }
}
