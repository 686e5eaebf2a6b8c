use std::collections::HashSet;

use redis::Value;

use crate::address::Address;

/// A cluster's keys are in as many slots, each at one master.
const SLOTS: usize = 16_384;

/// Which slot a key is in: by the part of it in the first pair of braces, if there is one and it
/// is not empty.
pub(crate) fn slot_of(key: &[u8]) -> usize {
    let hashed = tag(key).unwrap_or(key);
    usize::from(crc16::State::<crc16::XMODEM>::calculate(hashed)) % SLOTS
}

fn tag(key: &[u8]) -> Option<&[u8]> {
    let (_, behind) = split(key, b'{')?;
    let (tag, _) = split(behind, b'}')?;
    (!tag.is_empty()).then_some(tag)
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == at)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Which master has which slot.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    /// For each slot the master's place in `masters`.
    owners: Vec<Option<usize>>,
    masters: Vec<Address>,
    replicas: Vec<Address>,
}

impl Slots {
    /// Reads the answer to `CLUSTER SLOTS` of the node at `asked`, which may leave out its own name.
    pub(crate) fn parse(answer: Value, asked: &Address) -> Option<Self> {
        let mut slots = Self {
            owners: vec![None; SLOTS],
            masters: Vec::new(),
            replicas: Vec::new(),
        };
        for range in list(answer)? {
            let mut range = list(range)?.into_iter();
            let (first, last) = (number(&range.next()?)?, number(&range.next()?)?);
            let mut nodes = range.map(|node| address(node, asked));
            let master = slots.place(nodes.next()??);
            slots.owners.get_mut(first..=last)?.fill(Some(master));
            slots.replicas.extend(nodes.flatten());
        }
        Some(slots)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.masters.is_empty()
    }

    pub(crate) fn owner(&self, slot: usize) -> Option<&Address> {
        let place = self.owners.get(slot).copied().flatten()?;
        self.masters.get(place)
    }

    pub(crate) fn masters(&self) -> &[Address] {
        &self.masters
    }

    /// The masters, then their replicas, each once.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Address> {
        let mut seen = HashSet::new();
        let all = self.masters.iter().chain(&self.replicas);
        all.filter(move |node| seen.insert(*node))
    }

    /// Notes that a slot has another master.
    pub(crate) fn set_owner(&mut self, slot: usize, owner: Address) {
        let place = self.place(owner);
        if let Some(slot) = self.owners.get_mut(slot) {
            *slot = Some(place);
        }
    }

    fn place(&mut self, master: Address) -> usize {
        let known = self.masters.iter().position(|known| *known == master);
        known.unwrap_or_else(|| {
            self.masters.push(master);
            self.masters.len() - 1
        })
    }
}

/// A node is its host, its port and more that does not matter here.
fn address(node: Value, asked: &Address) -> Option<Address> {
    let mut node = list(node)?.into_iter();
    let host = match node.next()? {
        Value::BulkString(host) => String::from_utf8(host).ok()?,
        Value::SimpleString(host) => host,
        // A node that is told not to say where it is: it is where it was asked.
        Value::Nil => String::new(),
        _ => return None,
    };
    let port = u16::try_from(number(&node.next()?)?).ok()?;
    Some(match host.as_str() {
        "" => Address::new(&asked.host, port),
        // A node that does not know its own name yet.
        "?" => return None,
        host => Address::new(host, port),
    })
}

fn list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(values) => Some(values),
        _ => None,
    }
}

fn number(value: &Value) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_the_slot_that_the_cluster_specification_says() {
        for (key, slot) in [
            // The check value of CRC-16/XMODEM, as the specification gives it.
            ("123456789", 0x31C3),
            ("foo", 12_182),
            ("{foo}", 12_182),
            ("a{foo}b{bar}", 12_182),
            ("", 0),
        ] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        // Nothing between the braces, or no second one: the whole key counts.
        for key in ["{}foo", "foo{", "}foo{"] {
            let whole = crc16::State::<crc16::XMODEM>::calculate(key.as_bytes());
            assert_eq!(slot_of(key.as_bytes()), usize::from(whole) % SLOTS, "{key}");
        }
    }

    fn node(host: Option<&str>, port: i64) -> Value {
        let host = host.map_or(Value::Nil, |host| Value::BulkString(host.into()));
        let id = Value::BulkString(b"id".to_vec());
        Value::Array(vec![host, Value::Int(port), id, Value::Array(Vec::new())])
    }

    fn range(first: i64, last: i64, nodes: Vec<Value>) -> Value {
        let mut range = vec![Value::Int(first), Value::Int(last)];
        range.extend(nodes);
        Value::Array(range)
    }

    #[test]
    fn an_answer_becomes_a_map() {
        let asked = Address::new("asked.example", 1);
        let answer = Value::Array(vec![
            range(0, 5_000, vec![node(Some("a"), 1), node(Some("b"), 2)]),
            range(5_001, 16_000, vec![node(None, 3)]),
            range(16_001, 16_001, vec![node(Some("a"), 1)]),
        ]);
        let mut slots = Slots::parse(answer, &asked).unwrap();
        let (a, b) = (Address::new("a", 1), Address::new("b", 2));
        let unnamed = Address::new("asked.example", 3);
        for (slot, owner) in [
            (0, Some(&a)),
            (5_000, Some(&a)),
            (5_001, Some(&unnamed)),
            (16_001, Some(&a)),
            (16_002, None),
            (SLOTS, None),
        ] {
            assert_eq!(slots.owner(slot), owner, "{slot}");
        }
        assert_eq!(slots.masters(), [a.clone(), unnamed]);
        assert_eq!(slots.nodes().count(), 3);
        slots.set_owner(0, b.clone());
        assert_eq!(slots.owner(0), Some(&b));
        assert_eq!(slots.owner(1), Some(&a));
    }

    #[test]
    fn what_is_no_map_is_refused() {
        let asked = Address::new("a", 1);
        for answer in [
            Value::Okay,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(0, 1, Vec::new())]),
            Value::Array(vec![range(-1, 1, vec![node(Some("a"), 1)])]),
            Value::Array(vec![range(0, 16_384, vec![node(Some("a"), 1)])]),
            Value::Array(vec![range(2, 1, vec![node(Some("a"), 99_999)])]),
            Value::Array(vec![range(0, 1, vec![node(Some("?"), 1)])]),
        ] {
            assert!(Slots::parse(answer.clone(), &asked).is_none(), "{answer:?}");
        }
        let nobody = Slots::parse(Value::Array(Vec::new()), &asked).unwrap();
        assert!(nobody.is_empty());
    }
}
