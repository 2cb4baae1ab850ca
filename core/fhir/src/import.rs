//! The plans of an import, one file (or a bounded part of a long one) at a time.

use crate::document::{Broken, Document, Found, Lines, Raw};
use crate::element::Element;
use crate::fault::Fault;
use crate::identity::Origins;
use crate::index::Index;
use crate::map::{Context, Mapped, Target, mapped, mapped_patient, reference_row, target_of};
use crate::plan::{ImportPlan, Position, Problem};
use crate::source::{Source, sources};
use std::collections::HashMap;
use std::io::BufRead;
use std::path::PathBuf;
use vereda_core::error::SyncError;
use vereda_core::record::KindRegistry;
use vereda_core::redact::Sensitive;

/// Resources of a long file that make one plan.
pub const PLAN_RESOURCES_MAX: u64 = 5_000;

/// An import: its files, and what their resources say of one another.
#[derive(Debug)]
pub struct Import {
    sources: Vec<Source>,
    origins: Origins,
    registry: KindRegistry,
    index: Index,
}

impl Import {
    /// Looks through files and folders (see [`sources`]).
    pub fn open(paths: &[PathBuf], origins: Origins) -> Result<Self, SyncError> {
        Ok(Self::of(sources(paths)?, origins))
    }

    /// Looks through sources once: names of professionals, times of encounters and plans, which resource comes
    /// where last. The content is read when the plans are.
    pub fn of(sources: Vec<Source>, origins: Origins) -> Self {
        let mut import = Self {
            sources,
            origins,
            registry: KindRegistry::standard(),
            index: Index::default(),
        };
        let mut index = Index::default();
        for file in 0..import.sources.len() as u32 {
            import.look_through(file, &mut index);
        }
        import.index = index;
        import
    }

    /// The names of the files, in the order that positions count.
    pub fn files(&self) -> Vec<String> {
        self.sources.iter().map(Source::name).collect()
    }

    /// How many bytes there are to read.
    pub fn bytes(&self) -> u64 {
        self.sources.iter().map(Source::bytes).sum()
    }

    /// The plans, patients' files first. May be asked for again: the same plans.
    pub fn plans(&self) -> Plans<'_> {
        let mut order: Vec<u32> = (0..self.sources.len() as u32).collect();
        order.sort_by_key(|file| !self.index.has_patients(*file));
        Plans {
            import: self,
            order: order.into_iter(),
            long: None,
        }
    }

    fn look_through(&self, file: u32, index: &mut Index) {
        // What cannot be read is listed when the plans are made.
        let Some(source) = self.sources.get(file as usize) else {
            return;
        };
        if source.is_ndjson() {
            if let Ok(reader) = source.open() {
                let mut lines = Lines::new(reader);
                while let Some((found, _)) = lines.next() {
                    self.note(file, &found, &HashMap::new(), index);
                }
            }
        } else if let Ok(bytes) = source.read()
            && let Ok(document) = Document::read(&bytes)
        {
            for found in &document.found {
                self.note(file, found, &document.addresses, index);
            }
        }
    }

    fn note(&self, file: u32, found: &Found<'_>, addresses: &HashMap<String, String>, index: &mut Index) {
        let Ok(raw) = found else {
            return;
        };
        if target_of(&raw.kind) != Target::Skipped {
            let position = Position {
                file,
                index: raw.index,
            };
            index.note_position(&raw.kind, self.origins.entry(&raw.name), position);
        }
        if Index::reads(&raw.kind)
            && let Ok(element) = serde_json::from_str::<Element>(raw.json)
        {
            index.note_content(&raw.kind, &raw.name, &element, addresses, &self.origins);
        }
    }

    fn problem(&self, file: u32, index: Option<u64>, resource: &str, fault: Fault) -> Problem {
        let name = self
            .sources
            .get(file as usize)
            .map(Source::name)
            .unwrap_or_default();
        Problem {
            file: Sensitive(name),
            index,
            resource: resource.to_owned(),
            code: fault.code,
            reason: fault.reason,
            imported: false,
        }
    }

    /// Puts what was found at a place into a plan.
    fn take(&self, file: u32, found: Found<'_>, addresses: &HashMap<String, String>, plan: &mut ImportPlan) {
        match found {
            Err(Broken {
                index,
                resource,
                fault,
            }) => {
                plan.resources += u64::from(index.is_some());
                plan.problems.push(self.problem(file, index, &resource, fault));
            }
            Ok(raw) => {
                plan.resources += 1;
                if let Err(fault) = self.map(file, &raw, addresses, plan) {
                    plan.problems
                        .push(self.problem(file, Some(raw.index), &raw.name, fault));
                }
            }
        }
    }

    fn map(
        &self,
        file: u32,
        raw: &Raw<'_>,
        addresses: &HashMap<String, String>,
        plan: &mut ImportPlan,
    ) -> Result<(), Fault> {
        let target = target_of(&raw.kind);
        if target == Target::Skipped {
            *plan.skipped.entry(raw.kind.clone()).or_default() += 1;
            return Ok(());
        }
        let position = Position {
            file,
            index: raw.index,
        };
        if self.index.comes_again(self.origins.entry(&raw.name), position) {
            *plan.repeated.entry(raw.kind.clone()).or_default() += 1;
            return Ok(());
        }
        let element: Element = serde_json::from_str(raw.json).map_err(|e| crate::document::unreadable(&e))?;
        let context = Context {
            registry: &self.registry,
            origins: &self.origins,
            addresses,
            index: &self.index,
        };
        match target {
            Target::Record => {
                let patient = mapped_patient(&raw.name, &element, &context)?;
                if let Some(doubt) = patient.doubt {
                    let problem = self.problem(file, Some(raw.index), &raw.name, doubt);
                    plan.problems.push(Problem {
                        imported: true,
                        ..problem
                    });
                }
                let id = patient.id;
                let pairs = patient
                    .linked
                    .iter()
                    .map(|other| (id.min(*other), id.max(*other)));
                plan.links.extend(pairs);
                let unit = plan.patients.entry(id).or_default();
                unit.record = Some((position, patient.record));
                unit.native = patient.native;
            }
            Target::Entry | Target::Carried => {
                match mapped(&raw.kind, &raw.name, &element, position, &context)? {
                    Mapped::Entry(patient, mapped) => {
                        plan.patients.entry(patient).or_default().entries.push(*mapped);
                    }
                    Mapped::Chart(patient, chart) => {
                        let unit = plan.patients.entry(patient).or_default();
                        unit.chart.push((position, raw.name.clone(), chart));
                    }
                    Mapped::Nothing => *plan.skipped.entry(raw.kind.clone()).or_default() += 1,
                }
            }
            Target::ReferenceRow => {
                plan.reference
                    .push(reference_row(&raw.kind, &raw.name, &element, &self.origins)?);
            }
            Target::Skipped => {}
        }
        Ok(())
    }
}

/// Which lines of a long file are taken: patients are registered before what names them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sweep {
    Patients,
    Others,
    All,
}

struct Long<'a> {
    file: u32,
    sweep: Sweep,
    lines: Lines<Box<dyn BufRead + Send + 'a>>,
}

/// The plans of an import, in the order they are to be carried out.
pub struct Plans<'a> {
    import: &'a Import,
    order: std::vec::IntoIter<u32>,
    long: Option<Long<'a>>,
}

impl Iterator for Plans<'_> {
    type Item = ImportPlan;

    fn next(&mut self) -> Option<ImportPlan> {
        loop {
            if let Some(plan) = self.part() {
                return Some(plan);
            }
            let file = self.order.next()?;
            let source = self.import.sources.get(file as usize)?;
            let opened = if source.is_ndjson() {
                let sweep = if self.import.index.has_patients(file) {
                    Sweep::Patients
                } else {
                    Sweep::All
                };
                self.open(file, sweep)
            } else {
                match self.whole(file, source) {
                    Ok(plan) => return Some(plan),
                    Err(fault) => Err(fault),
                }
            };
            if let Err(fault) = opened {
                let problems = vec![self.import.problem(file, None, "", fault)];
                return Some(ImportPlan {
                    problems,
                    bytes: source.bytes(),
                    ..ImportPlan::default()
                });
            }
        }
    }
}

impl<'a> Plans<'a> {
    fn open(&mut self, file: u32, sweep: Sweep) -> Result<(), Fault> {
        let import = self.import;
        if let Some(source) = import.sources.get(file as usize) {
            self.long = Some(Long {
                file,
                sweep,
                lines: Lines::new(source.open()?),
            });
        }
        Ok(())
    }

    fn whole(&self, file: u32, source: &Source) -> Result<ImportPlan, Fault> {
        let bytes = source.read()?;
        let document = Document::read(&bytes)?;
        let mut plan = ImportPlan {
            bytes: bytes.len() as u64,
            ..ImportPlan::default()
        };
        for found in document.found {
            self.import.take(file, found, &document.addresses, &mut plan);
        }
        plan.sort();
        Ok(plan)
    }

    /// The next part of a long file; `None` where there is none.
    fn part(&mut self) -> Option<ImportPlan> {
        let long = self.long.as_mut()?;
        let (file, sweep) = (long.file, long.sweep);
        let (mut plan, none) = (ImportPlan::default(), HashMap::new());
        let mut ended = true;
        while let Some((found, bytes)) = long.lines.next() {
            let patient = found.as_ref().is_ok_and(|raw| raw.kind == "Patient");
            if sweep != Sweep::Patients {
                plan.bytes += bytes;
            }
            if sweep == Sweep::All || patient == (sweep == Sweep::Patients) {
                self.import.take(file, found, &none, &mut plan);
            }
            if plan.resources >= PLAN_RESOURCES_MAX {
                ended = false;
                break;
            }
        }
        if ended {
            self.long = None;
            // It opened a moment ago; if it does not now, there is nothing more to read from it.
            if sweep == Sweep::Patients && self.open(file, Sweep::Others).is_err() {
                self.long = None;
            }
        }
        plan.sort();
        Some(plan)
    }
}
