//! O. The `secret` option.

use session_tower::{ErrorKind, Secrets, SessionOptions};

use crate::site::{count, serve};
use crate::support::Probe;

fn options(store: &Probe, secrets: Secrets) -> SessionOptions {
    SessionOptions::new(store.clone(), secrets).clock(store.clock().clone())
}

fn one(secret: impl AsRef<[u8]>) -> Secrets {
    Secrets::new(secret).expect("not empty")
}

fn two(first: &str, second: &str) -> Secrets {
    Secrets::rotating([first, second]).expect("not empty")
}

/// What a visitor of a site with the secrets `before` is answered by one with those of `after`,
/// on the same store.
async fn visits(before: Secrets, after: Secrets) -> String {
    let store = Probe::new();
    let old = serve(&store, options(&store, before), count).await;
    let new = serve(&store, options(&store, after), count).await;
    let mut browser = old.browser();
    browser.get("/").await.set();
    browser.address = new.address();
    browser.get("/").await.text().to_owned()
}

#[test]
fn o104_an_empty_list_of_secrets_is_refused() {
    let nothing: [&str; 0] = [];
    let error = Secrets::rotating(nothing).expect_err("nothing signs nothing");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("at least one secret"), "{error}");
}

#[tokio::test]
async fn o105_a_text_signs_and_verifies() {
    assert_eq!(visits(one("keyboard cat"), one("keyboard cat")).await, "2");
    assert_eq!(visits(one("keyboard cat"), one("keyboard dog")).await, "1");
}

#[tokio::test]
async fn o106_bytes_sign_and_verify() {
    let bytes = [0xff, 0x00, 0xfe];
    assert_eq!(visits(one(bytes), one(bytes)).await, "2");
}

#[tokio::test]
async fn o107_one_of_several_secrets_signs() {
    assert_eq!(visits(two("a", "b"), two("a", "b")).await, "2");
}

#[tokio::test]
async fn o108_it_is_the_first_one_that_signs() {
    assert_eq!(visits(two("a", "b"), one("a")).await, "2");
    assert_eq!(visits(two("a", "b"), one("b")).await, "1");
}

#[tokio::test]
async fn o109_all_of_them_verify() {
    assert_eq!(visits(one("a"), two("a", "b")).await, "2");
    assert_eq!(visits(one("b"), two("a", "b")).await, "2");
}
