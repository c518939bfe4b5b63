//! The requirements, in a sentence each.

/// A requirement.
pub(super) struct Promise {
    pub(super) number: u32,
    pub(super) what: &'static str,
}

const fn promise(number: u32, what: &'static str) -> Promise {
    Promise { number, what }
}

/// All of them, in order.
pub(super) const PROMISES: &[Promise] = &[
    promise(
        1,
        "No key is forgotten when the process is killed while keys are made",
    ),
    promise(
        2,
        "No key is forgotten when browsers go away while keys are made",
    ),
    promise(3, "A stop lets changes finish, and takes no new ones"),
    promise(
        4,
        "A key that cannot be recorded is revoked, and its secret not shown",
    ),
    promise(
        5,
        "The same form makes one key, shown once; with another content it is refused",
    ),
    promise(6, "Of many revocations, each is told by its own outcome"),
    promise(
        7,
        "Keys that a restored database does not know are marked and told once",
    ),
    promise(8, "A secret is in one response, and nowhere else"),
    promise(9, "The page with a secret is not kept by caches or by Back"),
    promise(10, "Logs and audit hold no secret, whatever fails"),
    promise(11, "No core dump can hold a secret"),
    promise(12, "Database and server key together open no session"),
    promise(
        13,
        "The cookie is out of reach of scripts and of other sites",
    ),
    promise(
        14,
        "Signing in gives a new cookie, and the one before is worth nothing",
    ),
    promise(
        15,
        "A session ends after 30 minutes without use, and after 12 hours",
    ),
    promise(16, "A person has five sessions at most"),
    promise(
        17,
        "A session that ended stays ended, whatever is still under way",
    ),
    promise(
        18,
        "Sign out is on every page; a person sees their sessions and can end them",
    ),
    promise(19, "Dangerous actions ask for the password again"),
    promise(
        20,
        "Guessing is slowed down, for each account and each address",
    ),
    promise(21, "The counters survive a flood of names and a restart"),
    promise(22, "Passwords of the engine are hashed with argon2id"),
    promise(
        23,
        "Nobody can tell by text, status or headers which users exist",
    ),
    promise(
        24,
        "Passwords given here are long and not what is tried first; the first one is random",
    ),
    promise(25, "Every function refuses whoever may not use it"),
    promise(26, "Unknown and forbidden ids are answered alike"),
    promise(27, "A role that is taken away bites on the next request"),
    promise(
        28,
        "Administrators who act at once lose nothing of a user, and one of them remains",
    ),
    promise(29, "No other site can make this one change anything"),
    promise(30, "Nobody is sent to another site after signing in"),
    promise(31, "Every response carries the browser's instructions"),
    promise(32, "Hostile names do no harm on pages and in spreadsheets"),
    promise(33, "Without a durable audit row, nothing is changed"),
    promise(
        34,
        "Whoever edits, removes, moves or adds an audit row is found out",
    ),
    promise(35, "The audit log is whole when many write at once"),
    promise(36, "Everything that happens is written down, one line each"),
    promise(37, "The audit log can be shipped without loss"),
    promise(38, "Elasticsearch's faults are bounded in time"),
    promise(39, "A creation is never sent twice"),
    promise(40, "A credential never follows a redirect"),
    promise(
        41,
        "While Elasticsearch is down, pages name the cause, and own sessions and sign-out work",
    ),
    promise(42, "Slow clients do not keep others out"),
    promise(43, "Bodies, headers and addresses are bounded"),
    promise(44, "A panic in one request stays there"),
    promise(45, "Memory does not grow"),
    promise(
        46,
        "Forwarded addresses count only from proxies that are trusted",
    ),
    promise(47, "Certificates are reloaded, and a bad one is kept out"),
    promise(
        48,
        "Settings that cannot be used stop the start, and are not printed",
    ),
    promise(
        49,
        "The intent is on the disk before Elasticsearch is asked",
    ),
    promise(50, "Nobody sees that the database is locked"),
    promise(51, "A damaged database is refused; backups restore"),
    promise(
        52,
        "A migration that was killed is finished by the next start",
    ),
    promise(53, "Files are for their owner alone"),
    promise(54, "A revoked key is refused by the engine on its next use"),
    promise(55, "Scanners recognise the engine's keys"),
    promise(56, "A key cannot make keys, users or roles"),
    promise(57, "A key ends exactly when it says"),
    promise(58, "The engine answers as Elasticsearch does"),
    promise(
        59,
        "A second factor: not offered, for Elasticsearch's passwords have none",
    ),
];
