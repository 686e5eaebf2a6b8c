//! The behaviours of express-session's own test suite, over real HTTP. `CHECKLIST.md` beside this
//! file says which test holds which of its 160 cases.

#[path = "../support/mod.rs"]
mod support;

mod a_cookie;
mod b_basics;
mod c_response_end;
mod checklist;
mod defg_lookup;
mod h_proxy;
mod i_cookie_option;
mod jk_genid_and_name;
mod lmn_saving;
mod o_secret;
mod p_unset;
mod q_other_layers;
mod r_session;
mod s_methods;
mod site;
mod t_session_cookie;
mod u_synchronous_store;
