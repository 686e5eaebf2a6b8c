//! Finds what a value's JSON does not show any more: numbers for which `serde_json` writes `null`,
//! and where a key may be written twice.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};

/// What is in a value without numbers that are NaN or infinite.
#[derive(Default)]
pub(super) struct Found {
    /// Whether an object may have a key twice: a map, which a struct with a flattened part is for
    /// serde, or a struct with two field names that look alike (one may be the tag of an enum).
    pub(super) may_repeat_keys: bool,
}

/// `None` if a number in `value` is NaN or infinite. Keys of maps are not looked at: `serde_json`
/// refuses such keys itself.
pub(super) fn inspect<T: Serialize + ?Sized>(value: &T) -> Option<Found> {
    let mut found = Found::default();
    let inspected = value.serialize(Inspect(&mut found));
    inspected.is_ok().then_some(found)
}

/// Writes nothing, and fails at the first number that is not finite.
struct Inspect<'f>(&'f mut Found);

#[derive(Debug)]
struct NotFinite;

type Checked = Result<(), NotFinite>;

/// Some types pass errors on as texts, so that any error stands for the one.
impl ser::Error for NotFinite {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number that is NaN or infinite")
    }
}

impl std::error::Error for NotFinite {}

macro_rules! ignore {
    ($($method:ident($type:ty)),* $(,)?) => {
        $(fn $method(self, _: $type) -> Checked {
            Ok(())
        })*
    };
}

impl<'f> Serializer for Inspect<'f> {
    type Ok = ();
    type Error = NotFinite;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Fields<'f>;
    type SerializeStructVariant = Fields<'f>;

    fn serialize_f32(self, value: f32) -> Checked {
        value.is_finite().then_some(()).ok_or(NotFinite)
    }

    fn serialize_f64(self, value: f64) -> Checked {
        value.is_finite().then_some(()).ok_or(NotFinite)
    }

    ignore! {
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
        serialize_char(char),
        serialize_str(&str),
        serialize_bytes(&[u8]),
        serialize_unit_struct(&'static str),
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Checked {
        Ok(())
    }

    fn serialize_none(self) -> Checked {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Checked {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Checked {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Checked {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Checked {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Checked {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, NotFinite> {
        self.0.may_repeat_keys = true;
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'f>, NotFinite> {
        Ok(Fields::new(self))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'f>, NotFinite> {
        Ok(Fields::new(self))
    }
}

macro_rules! inspect_parts {
    ($($part:ident::$method:ident),* $(,)?) => {
        $(impl ser::$part for Inspect<'_> {
            type Ok = ();
            type Error = NotFinite;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Checked {
                value.serialize(Inspect(self.0))
            }

            fn end(self) -> Checked {
                Ok(())
            }
        })*
    };
}

inspect_parts! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

/// The fields of a struct.
struct Fields<'f> {
    found: &'f mut Found,
    /// A bit for each name that has been met.
    names: u64,
}

impl<'f> Fields<'f> {
    fn new(Inspect(found): Inspect<'f>) -> Self {
        Self { found, names: 0 }
    }

    fn note(&mut self, name: &str) {
        let sum = name
            .bytes()
            .fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        let bit = 1 << (sum % 64);
        self.found.may_repeat_keys |= self.names & bit != 0;
        self.names |= bit;
    }
}

macro_rules! inspect_fields {
    ($($part:ident),*) => {
        $(impl ser::$part for Fields<'_> {
            type Ok = ();
            type Error = NotFinite;

            fn serialize_field<T>(&mut self, name: &'static str, value: &T) -> Checked
            where
                T: Serialize + ?Sized,
            {
                self.note(name);
                value.serialize(Inspect(self.found))
            }

            fn end(self) -> Checked {
                Ok(())
            }
        })*
    };
}

inspect_fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Inspect<'_> {
    type Ok = ();
    type Error = NotFinite;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, _: &T) -> Checked {
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Checked {
        value.serialize(Inspect(self.0))
    }

    fn end(self) -> Checked {
        Ok(())
    }
}
