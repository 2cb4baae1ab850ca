//! Runs given back to a restored server, as they were signed and not.

use super::{messages, sample};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use vereda_core::bytes::ByteArray;
use vereda_core::protocol::{
    ChainHash, LogItem, PageItem, PushItem, TailAnswer, TailRequest, TailRun, WholeHeads,
    advance_chain_by_checks, encode, head_leaf,
};

/// The server's key; nobody's real one.
fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[0x51; 32])
}

/// Two items behind place 17.
pub(crate) fn run() -> TailRun {
    let before = [0xc0; 32];
    let mut chain: ChainHash = before;
    let mut items = Vec::new();
    for (n, received_ms) in [(0, sample::BEGIN_MS), (3, sample::BEGIN_MS + 5)] {
        let PushItem {
            write,
            generation,
            changes,
        } = messages::pushed(n, None, false);
        let checks: Vec<u32> = changes.iter().map(|change| change.check).collect();
        chain = advance_chain_by_checks(
            &chain,
            &sample::incarnation(),
            &write.hash(),
            &checks,
            received_ms,
        );
        items.push(PageItem::Item(Box::new(LogItem {
            origin: 0,
            generation,
            write,
            changes,
        })));
    }
    let heads = WholeHeads {
        epoch: 99,
        time_ms: sample::BEGIN_MS + 9,
        leaves: vec![
            ByteArray::new([0x1e; 32]),
            head_leaf(&sample::stream(), 19, &chain),
        ],
    };
    let signature = signing_key().sign(&heads.to_bytes()).to_bytes();
    TailRun {
        first: 18,
        before: ByteArray::new(before),
        origins: vec![sample::incarnation()],
        items,
        received_ms: vec![(1, sample::BEGIN_MS), (1, sample::BEGIN_MS + 5)],
        heads,
        signature: ByteArray::new(signature),
    }
}

pub(crate) fn request(run: TailRun) -> TailRequest {
    TailRequest {
        stream: sample::stream(),
        refresh: None,
        points: Vec::new(),
        run: Some(run),
        reached: None,
    }
}

pub(crate) fn points() -> TailRequest {
    TailRequest {
        stream: sample::stream(),
        refresh: None,
        points: vec![(19, ByteArray::new([0xd1; 8])), (17, ByteArray::new([0xc0; 8]))],
        run: None,
        reached: Some((100, 21, ByteArray::new([0xe2; 8]))),
    }
}

pub(crate) fn answer() -> TailAnswer {
    TailAnswer {
        epoch: 100,
        held: 17,
        appended: 1,
        left: vec![(19, "idempotency_key_reused".into())],
        tokens: None,
        end: Some((22, ByteArray::new([0xf3; 8]))),
    }
}

fn vector(name: &str, run: TailRun) -> Value {
    let key = signing_key().verifying_key().to_bytes();
    let request = request(run);
    let flaw = request
        .run
        .as_ref()
        .and_then(|run| run.check(&request.stream, &key).err())
        .map(|flaw| format!("{flaw:?}"));
    json!({
        "name": name,
        "signing_key": hex::encode(key),
        "request": hex::encode(encode(&request)),
        "flaw": flaw,
    })
}

pub(crate) fn valid() -> Vec<Value> {
    vec![vector("as it was signed", run())]
}

pub(crate) fn invalid() -> Vec<Value> {
    let changed = |change: fn(&mut TailRun)| {
        let mut run = run();
        change(&mut run);
        run
    };
    vec![
        vector(
            "an item is another",
            changed(|run| run.items[1] = run.items[0].clone()),
        ),
        vector(
            "the first item is missing",
            changed(|run| drop(run.items.remove(0))),
        ),
        vector("the last item is missing", changed(|run| drop(run.items.pop()))),
        vector("the places are others", changed(|run| run.first = 17)),
        vector(
            "what stood before is another",
            changed(|run| run.before = ByteArray::new([0xc1; 32])),
        ),
        vector("a time is another", changed(|run| run.received_ms[1].1 += 1)),
        vector("the heads are others", changed(|run| run.heads.epoch = 98)),
        vector(
            "signed by another key",
            changed(|run| {
                let other = SigningKey::from_bytes(&[0x52; 32]);
                run.signature = ByteArray::new(other.sign(&run.heads.to_bytes()).to_bytes());
            }),
        ),
        vector(
            "an item is only named",
            changed(|run| run.items[0] = PageItem::Own { n: 1, count: 1 }),
        ),
        vector("nothing is in it", changed(|run| run.items.clear())),
    ]
}

pub(crate) fn check(vector: &Value) {
    let name = vector["name"].as_str().expect("a name");
    let bytes = hex::decode(vector["request"].as_str().expect("hex")).expect("hex");
    let key: [u8; 32] = hex::decode(vector["signing_key"].as_str().expect("hex"))
        .expect("hex")
        .try_into()
        .expect("a key");
    let request: TailRequest = vereda_core::protocol::decode(&bytes).expect("a request");
    let flaw = request.run.expect("a run").check(&request.stream, &key).err();
    let flaw = flaw.map(|flaw| format!("{flaw:?}"));
    assert_eq!(flaw.as_deref(), vector["flaw"].as_str(), "{name}");
}
