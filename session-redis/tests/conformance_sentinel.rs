//! The suite that any store is held to, on a master that three Sentinels watch.

mod support;

use session_conformance::suite;
use support::harness::Sentinel;

suite!(Sentinel, without: [sweep, max_record_bytes, schema]);
