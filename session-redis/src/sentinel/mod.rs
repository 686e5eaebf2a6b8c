mod search;
mod sentinels;
mod watch;

pub(crate) use self::sentinels::Sentinels;
