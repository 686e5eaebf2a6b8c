//! Serving an axum application as every axum stack does.

use axum::Router;

/// Serves on a free port of 127.0.0.1 with one thread, until the harness ends it.
///
/// # Panics
///
/// If the application cannot be made or served.
pub fn serve(app: impl AsyncFnOnce() -> Router) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let app = app().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        crate::end_with_input();
        crate::announce(port);
        axum::serve(listener, app).await.expect("serving");
    });
}
