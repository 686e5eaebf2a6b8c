//! Several layers around one application.

use std::convert::Infallible;

use http::{Request, Response};
use session_tower::{CookieOptions, NameBinding, SessionHandle};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::Probe;
use crate::visit::{Visitor, count, layer, session};

#[tokio::test]
async fn sessions_of_different_names_do_not_meet() {
    let (staff, shop) = (Probe::new(), Probe::new());
    let handler = service_fn(|request: Request<()>| async move {
        let inner = request.extensions().get::<SessionHandle>().unwrap().clone();
        assert_eq!(inner.name(), "shop");
        let outer = inner.named("staff").expect("the layer around it").clone();
        assert!(inner.named("shop").is_some() && inner.named("other").is_none());
        let of_inner = inner.session().await.unwrap().unwrap();
        let of_outer = outer.session().await.unwrap().unwrap();
        of_inner.insert("cart", "book").unwrap();
        of_outer.insert("role", "clerk").unwrap();
        Ok::<_, Infallible>(Response::new(()))
    });
    let service = layer(staff.options().name("staff"))
        .layer(layer(shop.options().name("shop")).layer(handler));

    let response = service.clone().oneshot(Request::new(())).await.unwrap();
    let mut cookies = Vec::new();
    for line in response.headers().get_all("set-cookie") {
        let (pair, _) = line.to_str().unwrap().split_once(';').unwrap();
        cookies.push(pair.to_owned());
    }
    assert!(cookies[0].starts_with("shop=") && cookies[1].starts_with("staff="));
    assert_eq!(cookies.len(), 2);

    let request = Request::builder().header("cookie", cookies.join("; "));
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    assert!(!response.headers().contains_key("set-cookie"));
    for store in [&staff, &shop] {
        assert_eq!(
            store.calls(),
            "create get touch",
            "found again, nothing changed"
        );
        assert_eq!(store.len().await, 1);
    }
}

/// Whether the value of the shop's cookie opens a session where it is sent as the office's, of a
/// layer with the same store and secrets.
async fn passes_for_the_other(binding: NameBinding) -> bool {
    let store = Probe::new();
    let handler = service_fn(|request: Request<()>| async move {
        Ok::<_, Infallible>(Response::new(count(&session(&request).await)))
    });
    let [shop, office] = ["shop.sid", "office.sid"]
        .map(|name| layer(store.options().name(name).bind_to_name(binding)).layer(handler));
    let mut visitor = Visitor::default();
    let response = visitor.visit(&shop, "/").await;
    let line = response.headers()["set-cookie"].to_str().expect("ASCII");
    let (pair, _) = line.split_once(';').expect("a cookie has attributes");
    visitor.cookie = Some(pair.replace("shop", "office"));
    visitor.visit(&office, "/").await.into_body() == 2
}

#[tokio::test]
async fn layers_that_share_store_and_secrets_share_sessions_unless_bound_to_their_names() {
    assert!(passes_for_the_other(NameBinding::No).await);
    assert!(!passes_for_the_other(NameBinding::Required).await);
}

#[tokio::test]
async fn of_two_layers_with_one_name_the_outer_one_acts() {
    let (outer, inner) = (Probe::new(), Probe::new());
    let handler = service_fn(|request: Request<()>| async move {
        Ok::<_, Infallible>(Response::new(count(&session(&request).await)))
    });
    let service = layer(outer.options()).layer(layer(inner.options()).layer(handler));
    let mut visitor = Visitor::default();
    for expected in 1..=2 {
        let response = visitor.visit(&service, "/").await;
        assert_eq!(response.into_body(), expected);
    }
    assert_eq!(outer.calls(), "create get replace");
    assert_eq!(inner.calls(), "");
}

#[tokio::test]
async fn where_the_outer_layer_does_not_act_the_inner_one_of_the_same_name_does() {
    let (outer, inner) = (Probe::new(), Probe::new());
    let handler = service_fn(|request: Request<()>| async move {
        Ok::<_, Infallible>(Response::new(count(&session(&request).await)))
    });
    let admin = CookieOptions::new().path("/admin");
    let service = layer(outer.options().cookie(admin)).layer(layer(inner.options()).layer(handler));
    Visitor::default().visit(&service, "/").await;
    assert_eq!(
        (outer.calls(), inner.calls()),
        (String::new(), "create".to_owned())
    );
    Visitor::default().visit(&service, "/admin").await;
    assert_eq!(
        (outer.calls(), inner.calls()),
        ("create".to_owned(), String::new())
    );
}
