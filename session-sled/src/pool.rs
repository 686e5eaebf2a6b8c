use std::panic::{AssertUnwindSafe, catch_unwind};

use session_core::{Error, ErrorKind, Result};

/// Does what may wait for the disk on a thread of a pool, which belongs to no runtime. A future that
/// is dropped either never began it, or lets it come to its end.
pub(crate) async fn offload<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    blocking::unblock(move || contained(operation, work)).await
}

/// Makes an error of a panic of sled's, which has some where it could not go on. It holds no lock
/// that a panic would leave behind.
pub(crate) fn contained<T>(operation: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Other, operation).with_message(
            "sled panicked; its message is on standard error. Open the database again",
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let failed = pollster::block_on(offload("set", || -> Result<()> { panic!("on purpose") }));
        let error = failed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(error.to_string().starts_with("set: "), "{error}");
    }
}
