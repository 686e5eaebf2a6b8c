//! The suite that any store is held to, on a cluster of three masters with replicas.

mod support;

use session_conformance::suite;
use support::harness::Cluster;

suite!(Cluster, without: [sweep, max_record_bytes, schema]);
