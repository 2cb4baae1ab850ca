//! Random honest work: several devices write maps, texts, lists and counters, and merge now and then.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, AutoCommit, Automerge, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use proptest::prelude::*;

const DEVICES: usize = 4;

/// What one device does next.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Put {
        device: usize,
        key: u8,
        value: ScalarValue,
    },
    Entry {
        device: usize,
        key: u8,
        text: String,
    },
    EditText {
        device: usize,
        at: usize,
        delete: usize,
        text: String,
    },
    Insert {
        device: usize,
        at: usize,
        value: ScalarValue,
    },
    Overwrite {
        device: usize,
        at: usize,
        value: ScalarValue,
    },
    DeleteItem {
        device: usize,
        at: usize,
    },
    Count {
        device: usize,
        by: i64,
    },
    Remove {
        device: usize,
        key: u8,
    },
    Commit {
        device: usize,
        time: i64,
        message: Option<String>,
    },
    CommitNothing {
        device: usize,
    },
    Merge {
        from: usize,
        into: usize,
    },
}

fn scalar() -> impl Strategy<Value = ScalarValue> {
    prop_oneof![
        ".{0,40}".prop_map(|text| ScalarValue::Str(text.into())),
        any::<i64>().prop_map(ScalarValue::Int),
        any::<u64>().prop_map(ScalarValue::Uint),
        any::<i32>().prop_map(|number| ScalarValue::F64(f64::from(number) / 8.0)),
        any::<bool>().prop_map(ScalarValue::Boolean),
        any::<i64>().prop_map(ScalarValue::Timestamp),
        proptest::collection::vec(any::<u8>(), 0..600).prop_map(ScalarValue::Bytes),
        Just(ScalarValue::Null),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0..DEVICES;
    prop_oneof![
        3 => (device.clone(), 0..6_u8, scalar()).prop_map(|(device, key, value)| Step::Put { device, key, value }),
        2 => (device.clone(), 0..6_u8, ".{0,80}").prop_map(|(device, key, text)| Step::Entry { device, key, text }),
        4 => (device.clone(), any::<usize>(), 0..5_usize, ".{0,30}")
            .prop_map(|(device, at, delete, text)| Step::EditText { device, at, delete, text }),
        2 => (device.clone(), any::<usize>(), scalar())
            .prop_map(|(device, at, value)| Step::Insert { device, at, value }),
        1 => (device.clone(), any::<usize>(), scalar())
            .prop_map(|(device, at, value)| Step::Overwrite { device, at, value }),
        1 => (device.clone(), any::<usize>()).prop_map(|(device, at)| Step::DeleteItem { device, at }),
        1 => (device.clone(), -5..5_i64).prop_map(|(device, by)| Step::Count { device, by }),
        1 => (device.clone(), 0..6_u8).prop_map(|(device, key)| Step::Remove { device, key }),
        3 => (device.clone(), -4_000_000_000_i64..4_000_000_000, proptest::option::of(".{0,20}"))
            .prop_map(|(device, time, message)| Step::Commit { device, time, message }),
        1 => device.clone().prop_map(|device| Step::CommitNothing { device }),
        4 => (device.clone(), device).prop_map(|(from, into)| Step::Merge { from, into }),
    ]
}

/// Up to 60 steps.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..60)
}

struct Device {
    document: AutoCommit,
    text: ObjId,
    list: ObjId,
}

impl Device {
    fn at(&self, object: &ObjId, at: usize) -> Option<usize> {
        at.checked_rem(self.document.length(object))
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Put { key, value, .. } => {
                self.document
                    .put(ROOT, format!("field{key}"), value.clone())
                    .expect("put");
            }
            Step::Entry { key, text, .. } => {
                let entry = self
                    .document
                    .put_object(ROOT, format!("entry{key}"), ObjType::Map)
                    .expect("map");
                self.document.put(&entry, "kind", "note").expect("put");
                self.document.put(&entry, "text", text.as_str()).expect("put");
            }
            Step::EditText { at, delete, text, .. } => {
                let length = self.document.length(&self.text);
                let at = at % (length + 1);
                let delete = isize::try_from((*delete).min(length - at)).expect("short");
                self.document
                    .splice_text(&self.text, at, delete, text)
                    .expect("splice");
            }
            Step::Insert { at, value, .. } => {
                let at = at % (self.document.length(&self.list) + 1);
                self.document
                    .insert(&self.list, at, value.clone())
                    .expect("insert");
            }
            Step::Overwrite { at, value, .. } => {
                if let Some(at) = self.at(&self.list, *at) {
                    self.document.put(&self.list, at, value.clone()).expect("put");
                }
            }
            Step::DeleteItem { at, .. } => {
                if let Some(at) = self.at(&self.list, *at) {
                    self.document.delete(&self.list, at).expect("delete");
                }
            }
            Step::Count { by, .. } => {
                let counted = matches!(
                    self.document.get(ROOT, "count"),
                    Ok(Some((Value::Scalar(value), _))) if matches!(*value, ScalarValue::Counter(_))
                );
                match counted {
                    true => self.document.increment(ROOT, "count", *by).expect("increment"),
                    false => self
                        .document
                        .put(ROOT, "count", ScalarValue::counter(*by))
                        .expect("put"),
                }
            }
            Step::Remove { key, .. } => {
                for key in [format!("field{key}"), format!("entry{key}")] {
                    if matches!(self.document.get(ROOT, key.as_str()), Ok(Some(_))) {
                        self.document.delete(ROOT, key).expect("delete");
                    }
                }
            }
            Step::Commit { time, message, .. } => {
                let mut options = CommitOptions::default().with_time(*time);
                options.message.clone_from(message);
                self.document.commit_with(options);
            }
            Step::CommitNothing { .. } => {
                self.document.commit();
                self.document.empty_change(CommitOptions::default());
            }
            Step::Merge { .. } => {}
        }
    }
}

/// Devices that started from one genesis.
pub(crate) struct Devices(Vec<Device>);

impl Devices {
    pub(crate) fn new() -> Self {
        let mut genesis = AutoCommit::new().with_actor(ActorId::from(vec![0_u8; 16]));
        let text = genesis.put_object(ROOT, "text", ObjType::Text).expect("text");
        let list = genesis.put_object(ROOT, "list", ObjType::List).expect("list");
        genesis.commit_with(CommitOptions::default().with_time(0));
        let device = |number: usize| {
            let actor = ActorId::from(vec![u8::try_from(number * 37 + 5).expect("few"); 16]);
            let document = genesis.fork().with_actor(actor);
            Device {
                document,
                text: text.clone(),
                list: list.clone(),
            }
        };
        Self((0..DEVICES).map(device).collect())
    }

    pub(crate) fn work(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Merge { from, into } => {
                    let mut other = self.0[*from].document.fork();
                    self.0[*into].document.merge(&mut other).expect("merge");
                }
                Step::Put { device, .. }
                | Step::Entry { device, .. }
                | Step::EditText { device, .. }
                | Step::Insert { device, .. }
                | Step::Overwrite { device, .. }
                | Step::DeleteItem { device, .. }
                | Step::Count { device, .. }
                | Step::Remove { device, .. }
                | Step::Commit { device, .. }
                | Step::CommitNothing { device } => self.0[*device].take(step),
            }
        }
    }

    /// What all devices hold together.
    pub(crate) fn merged(&mut self) -> Automerge {
        let mut all = self.0[0].document.fork();
        for device in &mut self.0[1..] {
            all.merge(&mut device.document).expect("merge");
        }
        all.document().clone()
    }
}

/// What all devices hold after `steps`.
pub(crate) fn document(steps: &[Step]) -> Automerge {
    let mut devices = Devices::new();
    devices.work(steps);
    devices.merged()
}
