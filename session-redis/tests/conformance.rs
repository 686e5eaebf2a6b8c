//! The suite that any store is held to, on a real server.

mod support;

use session_conformance::suite;
use support::harness::SingleNode;

suite!(SingleNode, without: [sweep, max_record_bytes, schema]);
