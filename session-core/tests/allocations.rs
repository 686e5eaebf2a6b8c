//! What it costs to put a value in and to read it: counted, not timed.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use allocation_counter::measure;
use serde::{Deserialize, Serialize};
use session_core::Data;

#[derive(Serialize, Deserialize)]
struct Plain {
    id: u64,
    score: f64,
    last: Option<u64>,
}

fn allocations(run: impl FnOnce()) -> u64 {
    measure(run).count_total
}

#[test]
fn a_value_costs_its_text_and_nothing_more() {
    let plain = Plain {
        id: 1,
        score: 0.5,
        last: None,
    };
    let map = std::collections::BTreeMap::from([("a", 1), ("b", 2), ("c", 3)]);
    for keys in [1, 1_000] {
        let mut data = Data::new();
        for key in 0..keys {
            data.insert(&format!("key{key}"), &0).unwrap();
        }
        let key = format!("key{}", keys / 2);
        assert_eq!(allocations(|| data.insert(&key, &1_u32).unwrap()), 1);
        assert_eq!(allocations(|| data.insert(&key, "a \"text\"").unwrap()), 1);
        assert_eq!(allocations(|| data.insert(&key, &None::<f64>).unwrap()), 1);
        assert_eq!(allocations(|| data.insert(&key, &map).unwrap()), 1);
        assert_eq!(allocations(|| data.insert(&key, &plain).unwrap()), 1);
        let read = allocations(|| assert_eq!(data.get::<Plain>(&key).unwrap().unwrap().id, 1));
        assert_eq!(read, 0);
        // One that does not fit onto the stack: there, and where it is kept.
        let text = "x".repeat(100_000);
        assert_eq!(allocations(|| data.insert(&key, &text).unwrap()), 2);
    }
    // The key, the value and room for them.
    let mut data = Data::new();
    assert_eq!(allocations(|| data.insert("n", &1).unwrap()), 3);
}
