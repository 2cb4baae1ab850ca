//! What it costs to find the one document among a million that differs. The leaves are drawn, not computed from a
//! million documents; everything that travels is encoded as on the wire, and answered by what the server runs.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use vereda_core::bytes::ByteArray;
use vereda_core::document::digest::{
    Descent, Difference, DigestLeaf, DigestNode, DigestTree, SumsBelow, answer_digest,
};
use vereda_core::id::UnitId;
use vereda_core::protocol::{DigestAnswer, DigestAsked, DigestRequest, Encoding, decode_body, encode_body};
use vereda_core::record::{Compartment, Stream};

const DOCUMENTS: usize = 1_000_000;
/// Bytes of bodies both ways, and round trips, behind the sync that brings the root.
const BYTES_MAX: usize = 2_500;
const ROUND_TRIPS_MAX: usize = 2;

struct Found {
    differences: Vec<Difference>,
    bytes: usize,
    round_trips: usize,
}

/// One side asks the other until all is found.
fn compare(here: &DigestTree, there: &mut DigestTree) -> Found {
    let stream = Stream::new(UnitId(uuid::Uuid::from_u128(0x5eed)), Compartment::Clinical);
    let mut descent = Descent::new();
    let (mut bytes, mut round_trips) = (0, 0);
    loop {
        let nodes = descent.next(here);
        if nodes.is_empty() {
            break;
        }
        let request = DigestRequest {
            stream,
            seq: 3_141_592,
            root: ByteArray::new(there.root().to_be_bytes()),
            nodes,
        };
        let request = encode_body(&request, Encoding::Vereda);
        let read: DigestRequest = decode_body(&request, Encoding::Vereda).expect("a request");
        let nodes: Option<Vec<(DigestNode, SumsBelow)>> = read.nodes.iter().map(DigestAsked::read).collect();
        let Ok((differing, more)) = answer_digest(there, &nodes.expect("nodes"));
        let answer = DigestAnswer {
            epoch: 1_234_567_890,
            moved: false,
            differing,
            more,
        };
        let answer = encode_body(&answer, Encoding::Vereda);
        bytes += request.len() + answer.len();
        round_trips += 1;
        let answer: DigestAnswer = decode_body(&answer, Encoding::Vereda).expect("an answer");
        descent.take(here, &answer.differing, answer.more);
    }
    let (differences, more) = descent.found();
    assert!(!more);
    Found {
        differences,
        bytes,
        round_trips,
    }
}

#[test]
fn the_one_document_among_a_million_is_found_in_two_round_trips_and_two_and_a_half_kilobytes() {
    let mut random = StdRng::seed_from_u64(17);
    let all: Vec<DigestLeaf> = (0..DOCUMENTS)
        .map(|_| DigestLeaf {
            id: random.random(),
            leaf: random.random(),
        })
        .collect();
    let mut server = DigestTree::new(all.iter().copied());
    assert!(compare(&server.clone(), &mut server).differences.is_empty());
    let (mut most, mut trips) = (0, 0);
    for case in 0..12 {
        let at = random.random_range(0..all.len());
        let mut mine = all.clone();
        let expected = match case % 3 {
            0 => {
                mine[at].leaf ^= 1 << random.random_range(0..64);
                Difference::Otherwise(all[at])
            }
            1 => {
                mine.swap_remove(at);
                Difference::NotHere(all[at])
            }
            _ => {
                let extra = DigestLeaf {
                    id: random.random(),
                    leaf: random.random(),
                };
                mine.push(extra);
                Difference::OnlyHere(extra)
            }
        };
        let found = compare(&DigestTree::new(mine), &mut server);
        assert_eq!(found.differences, [expected]);
        most = most.max(found.bytes);
        trips = trips.max(found.round_trips);
    }
    println!("one of {DOCUMENTS} documents: {most} bytes at most, {trips} round trips");
    assert!(most <= BYTES_MAX, "{most} bytes");
    assert!(trips <= ROUND_TRIPS_MAX, "{trips} round trips");
}

#[test]
fn many_differences_are_all_found_up_to_the_bound_and_more_is_said() {
    let mut random = StdRng::seed_from_u64(18);
    let all: Vec<DigestLeaf> = (0..20_000)
        .map(|_| DigestLeaf {
            id: random.random(),
            leaf: random.random(),
        })
        .collect();
    for count in [1, 7, 150] {
        let mut mine = all.clone();
        for leaf in &mut mine[..count] {
            leaf.leaf = random.random();
        }
        let found = compare(&DigestTree::new(mine), &mut DigestTree::new(all.clone()));
        assert_eq!(found.differences.len(), count);
    }
    // Of a device that has nothing at all a part is found, and nothing is asked for ever.
    let (empty, mut server) = (DigestTree::default(), DigestTree::new(all));
    let mut descent = Descent::new();
    let mut turns = 0;
    while !descent.next(&empty).is_empty() {
        let asked = descent.next(&empty);
        let nodes: Option<Vec<(DigestNode, SumsBelow)>> = asked.iter().map(DigestAsked::read).collect();
        let Ok((differing, more)) = answer_digest(&mut server, &nodes.expect("nodes"));
        descent.take(&empty, &differing, more);
        turns += 1;
        assert!(turns < 100, "it goes on for ever");
    }
    let (found, more) = descent.found();
    assert!(more && !found.is_empty() && found.len() <= 200, "{}", found.len());
}
