//! What goes into a session comes out of it again, or is refused when it is put in.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use common::{ALL, Recorder, Visitor};
use serde::de::DeserializeOwned;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use session_core::{
    Data, ErrorKind, Lifecycle, OnConflict, Record, Session, SessionCookie, StoredExpiry,
};

fn lifecycle(store: &Recorder) -> Lifecycle {
    Lifecycle::new(store.options()).unwrap()
}

/// A session without a store's record, to try values on.
fn with_session(test: impl FnOnce(&Session)) {
    let lifecycle = lifecycle(&Recorder::new(ALL));
    Visitor::default().visit(&lifecycle, |session| test(&session));
}

/// The data of a row that Node wrote.
fn data(members: &str) -> Data {
    let row = format!(r#"{{"cookie":{{}},{members}}}"#);
    Record::decode(row, StoredExpiry::InJson).unwrap().data()
}

/// What a row with `value` in it holds when it is read again, by this crate and by others.
fn comes_back<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let mut data = Data::new();
    data.insert("key", value).unwrap();
    let record = Record::new(SessionCookie::new(), &data);
    let row: Value = serde_json::from_str(record.json()).unwrap();
    assert!(row.get("key").is_some());
    let read = Record::decode(record.json(), StoredExpiry::InJson).unwrap();
    read.data().get("key").unwrap().expect("a value")
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    score: f64,
    last: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape<T> {
    Nothing,
    New(T),
    Pair(T, T),
    Named { a: T },
}

#[test]
fn null_is_no_value_unless_the_type_has_one_for_it() {
    let mut data = data(r#""user":null"#);
    for _ in 0..2 {
        assert_eq!(data.get::<String>("user").unwrap(), None);
        assert_eq!(data.get::<u64>("user").unwrap(), None);
        assert_eq!(data.get::<f64>("user").unwrap(), None);
        assert_eq!(data.get::<Vec<u8>>("user").unwrap(), None);
        assert_eq!(data.get::<(u8, u8)>("user").unwrap(), None);
        assert_eq!(data.get::<User>("user").unwrap(), None);
        assert_eq!(data.get::<Shape<u8>>("user").unwrap(), None);
        assert_eq!(data.get::<HashMap<String, u8>>("user").unwrap(), None);
        assert_eq!(data.get_or_none::<User>("user"), None);
        assert_eq!(data.get::<Option<User>>("user").unwrap(), Some(None));
        assert_eq!(data.get::<Option<Option<u8>>>("user").unwrap(), Some(None));
        assert_eq!(data.get::<Value>("user").unwrap(), Some(Value::Null));
        assert_eq!(data.get::<()>("user").unwrap(), Some(()));
        assert_eq!(data.get::<Unit>("user").unwrap(), Some(Unit));
        let raw = data.get::<Box<RawValue>>("user").unwrap().unwrap();
        assert_eq!(raw.get(), "null");
        assert!(data.contains_key("user"));
        // The second time round, as it is written here.
        data.insert("user", &None::<User>).unwrap();
    }
    assert_eq!(data.get::<Option<User>>("other").unwrap(), None);
}

#[test]
fn null_is_no_value_for_updates_and_for_what_is_taken_out() {
    with_session(|session| {
        session.insert("n", &None::<u32>).unwrap();
        let count = |n: Option<u32>| n.unwrap_or(10) + 1;
        assert_eq!(session.update("n", count).unwrap(), 11);
        assert_eq!(session.update("n", count).unwrap(), 12);
        session.insert("flash", &()).unwrap();
        assert_eq!(session.take::<String>("flash").unwrap(), None);
        assert!(!session.contains_key("flash"));
    });
    // And for an update that runs again, on what another request has put there.
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut ours = Visitor::with_session(&lifecycle);
    let mut theirs = ours.clone();
    ours.visit(&lifecycle, |session| {
        let count = |n: Option<u32>| n.map_or(100, |n| n + 1);
        assert_eq!(session.update("seed", count).unwrap(), 2);
        theirs.visit(&lifecycle, |session| session.insert("seed", &()).unwrap());
    });
    assert!(store.only().ends_with(r#","seed":100}"#));
}

#[test]
fn numbers_that_are_not_finite_are_refused_wherever_they_are() {
    fn refused(value: &(impl Serialize + ?Sized)) {
        let mut data = Data::new();
        let error = data.insert("key", value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(error.to_string().contains("NaN or infinite"), "{error}");
        assert!(data.is_empty());
        with_session(|session| {
            let error = session.insert("key", value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Encode);
            assert!(session.keys().is_empty());
        });
    }
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -f64::NAN] {
        refused(&number);
        #[expect(clippy::cast_possible_truncation, reason = "these have an f32")]
        refused(&(number as f32));
        refused(&Some(number));
        refused(&Some(Some(&number)));
        refused(&vec![1.0, number]);
        refused(&[number; 1][..]);
        refused(&(1, "a", number));
        refused(&HashMap::from([("a", number)]));
        refused(&BTreeMap::from([(1, vec![Some(number)])]));
        refused(&std::num::Wrapping(number));
        refused(&Box::new(std::cell::Cell::new(number)));
        refused(&Shape::New(number));
        refused(&Shape::Pair(0.0, number));
        refused(&Shape::Named { a: number });
        refused(&Ok::<_, ()>(number));
        refused(&User {
            score: number,
            ..User::default()
        });
        refused(&vec![Shape::New(Some(User {
            name: "n".repeat(1_000),
            score: number,
            last: None,
        }))]);
    }
    /// A map whose keys are numbers.
    struct Keys(f64);
    impl Serialize for Keys {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(self.0, 1)])
        }
    }
    let error = Data::new().insert("key", &Keys(f64::NAN)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(error.to_string().contains("key must be finite"), "{error}");
    Data::new().insert("key", &Keys(1.5)).unwrap();
}

#[test]
fn an_update_to_a_number_that_is_not_finite_changes_nothing() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut ours = Visitor::with_session(&lifecycle);
    let half = |n: Option<f64>| n.map_or(f64::NAN, |n| 0.5 / n);
    ours.visit(&lifecycle, |session| {
        assert!((session.update("seed", half).unwrap() - 0.5).abs() < 1e-9);
        session.insert("seed", &0).unwrap();
        let error = session.update("seed", half).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert_eq!(session.get::<u8>("seed").unwrap(), Some(0));
        session.insert("seed", &1).unwrap();
    });
    // Also where it becomes one when it runs again.
    let mut theirs = ours.clone();
    let result = ours.try_visit(&lifecycle, async |session| {
        session.update("seed", half).unwrap();
        theirs.visit(&lifecycle, |session| session.insert("seed", &0).unwrap());
    });
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Encode);
    assert!(store.only().ends_with(r#","seed":0}"#));
}

#[test]
fn what_is_accepted_comes_back() {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "reads better in the list below"
    )]
    fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
        let back = comes_back(&value);
        assert!(back == value, "{back:?}");
    }
    same(String::from(
        "\0\u{1f}\"\\/\u{7f}\u{2028}\u{feff}\u{10ffff}é",
    ));
    same((i64::MIN, u64::MAX, i128::MIN, i128::MAX, u128::MAX));
    same((f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0, 1e15, 0.1 + 0.2));
    same((
        f32::MAX,
        f32::MIN_POSITIVE,
        f32::from_bits(1),
        0.1_f32,
        16_777_217_f32,
    ));
    same(HashMap::from([(i128::MIN, 1), (0, 2)]));
    same(HashMap::from([(true, 1), (false, 2)]));
    same(HashMap::from([('"', 1), ('\n', 2)]));
    same(HashMap::from([(String::new(), 1), ("\\\"".to_owned(), 2)]));
    same(BTreeMap::from([(Some("a".to_owned()), 1)]));
    same((Unit, (), None::<u8>, Some(Some(1))));
    same(vec![
        Shape::Nothing,
        Shape::New(1),
        Shape::Pair(1, 2),
        Shape::Named { a: 1 },
    ]);
    same([Shape::New(Some(User::default())), Shape::New(None)]);
    same(serde_json::json!({"a": [1.5, null, {"b": {}, "c": u64::MAX}], "": -1e300, "k": "v"}));
    same(std::time::Duration::new(u64::MAX, 999_999_999));
    let mut bits = 1_u64;
    for _ in 0..20_000 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (double, single) = (f64::from_bits(bits), f32::from_bits((bits >> 32) as u32));
        let mut data = Data::new();
        if double.is_finite() {
            data.insert("d", &double).unwrap();
            assert_eq!(data.get::<f64>("d").unwrap().unwrap().to_bits(), bits);
        }
        if single.is_finite() {
            data.insert("s", &single).unwrap();
            assert_eq!(data.get::<f32>("s").unwrap(), Some(single));
        }
    }
}

/// Arrays in one another.
fn nested(levels: usize) -> Value {
    (1..levels).fold(Value::Array(Vec::new()), |inner, level| match level % 2 {
        0 => Value::Array(vec![inner]),
        _ => serde_json::json!({ "a": inner, "b": 1 }),
    })
}

#[test]
fn what_is_nested_deeper_than_readers_go_is_refused() {
    for levels in [1, 2, 100, 126] {
        assert_eq!(comes_back(&nested(levels)), nested(levels));
        let raw = RawValue::from_string(nested(levels).to_string()).unwrap();
        assert_eq!(comes_back(&raw).get(), raw.get());
    }
    /// Would take the whole stack, if it were followed.
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut list = serializer.serialize_seq(None)?;
            list.serialize_element(self)?;
            list.end()
        }
    }
    fn refused(value: &(impl Serialize + ?Sized)) {
        let error = Data::new().insert("key", value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(error.to_string().contains("126 levels"), "{error}");
    }
    refused(&nested(127));
    refused(&vec![Some(nested(126))]);
    refused(&Endless);
    for text in [
        nested(127).to_string(),
        format!("{}{}", "[ ".repeat(100_000), "]".repeat(100_000)),
        format!("{{\"[\": {}}}", nested(126)),
    ] {
        refused(&RawValue::from_string(text).unwrap());
    }
    let brackets = "[{".repeat(1_000);
    assert_eq!(comes_back(&vec![brackets.clone()]), [brackets]);
}

#[test]
fn an_object_with_a_key_twice_is_refused() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    #[derive(Serialize)]
    struct Inner {
        other: u8,
        kind: u8,
    }
    #[derive(Serialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        A(Inner),
    }
    #[derive(Serialize)]
    #[serde(tag = "type")]
    enum TwiceTagged {
        B(Tagged),
    }
    struct Pairs(Vec<(&'static str, Value)>);
    impl Serialize for Pairs {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
        }
    }
    fn refused(value: &(impl Serialize + ?Sized)) {
        let error = Data::new().insert("key", value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(error.to_string().contains("same key twice"), "{error}");
    }
    let flat = |key: &str| Flat {
        a: 1,
        rest: [(key.to_owned(), 2), ("c".to_owned(), 3)].into(),
    };
    assert_eq!(comes_back(&flat("b")), flat("b"));
    refused(&flat("a"));
    refused(&[Some(flat("b")), Some(flat("a"))]);
    refused(&HashMap::from([("k", flat("a"))]));
    let many = |key: String| Flat {
        a: 1,
        rest: (0..1_000)
            .map(|n| (format!("k{n}"), 1))
            .chain([(key, 1)])
            .collect(),
    };
    assert_eq!(comes_back(&many("b".to_owned())), many("b".to_owned()));
    refused(&many("a".to_owned()));
    refused(&Tagged::A(Inner { other: 0, kind: 1 }));
    refused(&TwiceTagged::B(Tagged::A(Inner { other: 0, kind: 1 })));
    refused(&Pairs(vec![
        ("", Value::Null),
        ("b", nested(9)),
        ("", Value::Null),
    ]));
    let inner = Value::from("{\"a\":1,\"a\":2}");
    Data::new()
        .insert("key", &Pairs(vec![("a", inner), ("b", nested(3))]))
        .unwrap();
    refused(&RawValue::from_string("[ {\"a\" :1 , \"a\":2} ]".to_owned()).unwrap());
}

#[test]
fn errors_show_the_key_escaped_and_cut_and_nothing_of_the_value() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("hunter2 is no number"))
        }
    }
    let key = format!("\n\u{1b}[31m{}", "k".repeat(100_000));
    let mut data = Data::new();
    data.insert(&key, "hunter2").unwrap();
    let pairs = HashMap::from([(vec![1], "hunter2")]);
    for error in [
        data.get::<u8>(&key).unwrap_err(),
        data.insert(&key, &f64::NAN).unwrap_err(),
        data.insert(&key, &Refuses).unwrap_err(),
        data.insert(&key, &pairs).unwrap_err(),
        data.insert(&key, &nested(200)).unwrap_err(),
    ] {
        let text = format!("{error} {error:?}");
        assert!(text.contains(r"`\n\u{1b}[31mkkk"), "{text}");
        assert!(text.contains("kkk…`"), "{text}");
        assert!(text.len() < 1_000 && !text.contains("hunter2"), "{text}");
    }
    assert_eq!(
        data.get::<String>(&key).unwrap().as_deref(),
        Some("hunter2")
    );
}

#[test]
fn a_value_of_an_old_shape_can_be_taken_for_none() {
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut ours = Visitor::default();
    ours.visit(&lifecycle, |session| {
        session.insert("user", "alice").unwrap();
        session.insert("n", &1).unwrap();
    });
    ours.visit(&lifecycle, |session| {
        let error = session.get::<User>("user").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(session.get_or_none::<User>("user"), None);
        assert_eq!(session.get_or_none::<User>("nobody"), None);
        assert_eq!(session.get_or_none::<u8>("n"), Some(1));
        assert_eq!(session.data().get_or_none::<User>("user"), None);
        // Reading changes nothing.
        assert_eq!(
            session.get_or_none::<String>("user").as_deref(),
            Some("alice")
        );
        let named = |user: Option<User>| User {
            name: user.map_or_else(|| "new".to_owned(), |user| user.name + "+"),
            ..User::default()
        };
        let error = session.update("user", named).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(session.update_or_none("user", named).unwrap().name, "new");
        assert_eq!(session.update_or_none("user", named).unwrap().name, "new+");
    });
    // A request of the old release puts back the old shape meanwhile.
    let mut theirs = ours.clone();
    ours.visit(&lifecycle, |session| {
        let count = |n: Option<u8>| n.map_or(50, |n| n + 1);
        assert_eq!(session.update_or_none("n", count).unwrap(), 2);
        theirs.visit(&lifecycle, |session| session.insert("n", "one").unwrap());
    });
    assert!(store.only().contains(r#""n":50"#));
}

#[test]
fn a_session_that_grows_above_the_limit_is_refused_before_it_is_written() {
    for policy in [OnConflict::Merge, OnConflict::Overwrite] {
        let store = Recorder::new(ALL);
        let options = store.options().max_session_bytes(1_000).on_conflict(policy);
        let lifecycle = Lifecycle::new(options).unwrap();
        let mut ours = Visitor::with_session(&lifecycle);
        let room = 1_000 - store.only().len() - r#","text":"""#.len();
        ours.visit(&lifecycle, |session| {
            session.insert("text", &"x".repeat(room)).unwrap();
        });
        assert_eq!(store.only().len(), 1_000);
        let full = store.only();
        store.calls();
        let result = ours.try_visit(&lifecycle, async |session| {
            session.insert("text", &"z".repeat(room + 1)).unwrap();
            let error = session.save().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge);
        });
        let text = result.unwrap_err().to_string();
        assert!(
            text.contains("1001 bytes") && text.contains("is 1000"),
            "{text}"
        );
        assert!(!text.contains("zz"), "{text}");
        assert_eq!(store.calls(), "get");
        assert_eq!(store.only(), full);
        // What fits is written after all, a new session above the limit is not.
        ours.visit_async(&lifecycle, async |session| {
            session.insert("text", &"z".repeat(room + 1)).unwrap();
            assert!(session.save().await.is_err());
            session.insert("text", "").unwrap();
        });
        assert!(store.only().ends_with(r#","text":""}"#));
        let mut new = Visitor::default();
        let result = new.try_visit(&lifecycle, async |session| {
            session.insert("text", &full).unwrap();
        });
        assert_eq!(result.unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!((store.len(), new.cookie), (1, None));
    }
}

#[test]
fn two_requests_that_grow_above_the_limit_together_do_not() {
    let store = Recorder::new(ALL);
    let lifecycle = Lifecycle::new(store.options().max_session_bytes(300)).unwrap();
    let mut ours = Visitor::with_session(&lifecycle);
    let mut theirs = ours.clone();
    let result = ours.try_visit(&lifecycle, async |session| {
        session.insert("ours", &"x".repeat(150)).unwrap();
        theirs.visit(&lifecycle, |session| {
            session.insert("theirs", &"x".repeat(150)).unwrap();
        });
    });
    assert_eq!(result.unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(store.only().contains("theirs") && !store.only().contains("ours\""));
}

#[test]
fn a_session_above_a_new_limit_can_be_used_and_shrunk() {
    let store = Recorder::new(ALL);
    let mut visitor = Visitor::default();
    visitor.visit(&lifecycle(&store), |session| {
        session.insert("text", &"x".repeat(1_000)).unwrap();
        session.insert("n", &1).unwrap();
    });
    let limited = store.options().max_session_bytes(200);
    let limited = Lifecycle::new(limited.resave(true)).unwrap();
    visitor.visit(&limited, |_| ());
    visitor.visit(&limited, |session| session.cycle_id());
    visitor.visit(&limited, |session| session.insert("n", &2).unwrap());
    let result = visitor.try_visit(&limited, async |session| {
        session.insert("n", &10).unwrap();
    });
    assert_eq!(result.unwrap_err().kind(), ErrorKind::TooLarge);
    visitor.visit(&limited, |session| assert!(session.remove("text")));
    assert!(store.only().ends_with(r#","n":2}"#));
    let error = Lifecycle::new(store.options().max_session_bytes(10)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn a_lost_answer_is_remembered_though_the_next_write_is_too_large() {
    let store = Recorder::new(ALL);
    let lifecycle = Lifecycle::new(store.options().max_session_bytes(300)).unwrap();
    Visitor::default().visit_async(&lifecycle, async |session| {
        session.insert("a", &1).unwrap();
        store.lose_answer("create");
        assert!(session.save().await.is_err());
        session.insert("a", &"x".repeat(300)).unwrap();
        let error = session.save().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_eq!(store.len(), 1);
        session.destroy().await.unwrap();
    });
    assert_eq!(store.len(), 0);
}

/// Quadratic, this would take minutes.
#[test]
fn a_hundred_thousand_keys_are_edited_and_merged() {
    const KEYS: usize = 100_000;
    let store = Recorder::new(ALL);
    let lifecycle = lifecycle(&store);
    let mut ours = Visitor::with_session(&lifecycle);
    let mut theirs = ours.clone();
    ours.visit(&lifecycle, |session| {
        for key in 0..KEYS {
            session.insert(&format!("k\n{key}"), &key).unwrap();
        }
        for key in KEYS / 2..KEYS {
            session.insert(&format!("k\n{key}"), &0).unwrap();
        }
        theirs.visit(&lifecycle, |session| session.insert("seed", &2).unwrap());
    });
    ours.visit(&lifecycle, |session| {
        assert_eq!(session.keys().len(), KEYS + 1);
        assert_eq!(session.get::<u8>("seed").unwrap(), Some(2));
        for key in (0..KEYS).rev() {
            let key = format!("k\n{key}");
            assert!(session.get::<usize>(&key).unwrap().is_some());
            assert!(session.remove(&key) && !session.remove(&key));
        }
        assert_eq!(session.keys(), ["seed"]);
        session.insert("last", &1).unwrap();
    });
    assert!(store.only().ends_with(r#","seed":2,"last":1}"#));
}
