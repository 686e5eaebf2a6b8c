use std::time::Duration;

/// When writes go from this process's memory to the operating system, whence they survive the end
/// of the process, however it ends.
///
/// Until then they are in a buffer of sled's, and `kill -9`, an abort or the kernel's out-of-memory
/// killer loses them. A store that is dropped is flushed first.
///
/// None of the three promises to survive a power cut: on Linux sled 0.34 ends a flush with
/// `sync_file_range` (its `pagecache/iobuf.rs`), which, says its manual page, writes out neither
/// the file's metadata nor the disk's own cache. The thread behind [`Every`](Self::Every) also calls
/// `fsync`, after the fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Before each write returns: what returned `Ok` survives `kill -9`, and the store declares
    /// itself [`durable`](session_core::Capabilities::durable). A write then waits for the disk;
    /// writes at the same time share a flush.
    EveryWrite,
    /// In the background, every so often (at least a millisecond). The default is 500 ms: a process
    /// that is killed loses the writes of its last half second, and those that a flush under way
    /// had not reached; logouts too.
    Every(Duration),
    /// When [`SledStore::flush`](crate::SledStore::flush) is called, or when sled's buffer is full.
    ByCaller,
}

impl Default for Flush {
    fn default() -> Self {
        Self::Every(Duration::from_millis(500))
    }
}

/// Which thread reads: for [`get`](session_core::Store::get) alone. All else may wait, and goes to
/// a pool of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// The caller's. A read from memory takes microseconds and its way to another thread and back
    /// tens of them, about what a read from a solid-state disk takes; and each page is read
    /// from the disk once, while the sessions fit in
    /// [`cache_bytes`](crate::SledStoreBuilder::cache_bytes).
    #[default]
    OnTheCaller,
    /// One of the pool. For disks on the network or with heads, for more sessions than memory, and
    /// where single sessions have megabytes: a write of one holds up all reads while it lasts.
    OnThePool,
}

/// What a store keeps of its builder.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) namespace: String,
    pub(crate) flush: Flush,
    pub(crate) reads: Reads,
}
