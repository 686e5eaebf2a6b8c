//! The suite that any store is held to, on Valkey.

mod support;

use session_conformance::suite;
use support::harness::Valkey;

suite!(Valkey, without: [sweep, max_record_bytes, schema]);
