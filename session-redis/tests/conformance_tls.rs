//! The suite that any store is held to, on a server that speaks TLS alone.

mod support;

use session_conformance::suite;
use support::harness::Tls;

suite!(Tls, without: [sweep, max_record_bytes, schema]);
