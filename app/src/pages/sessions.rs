//! Live sessions: the user's own, and those of other users for administrators with `manage_security`.

use super::layout::use_viewer;
use crate::{
    api::{
        page_resource,
        sessions::{EndOtherSessions, EndSession, list_others_sessions, list_own_sessions},
    },
    components::{
        form::{ActionForm, GetForm, SearchBox, use_form},
        problem::{ProblemPrompt, ResultNotice},
        status::{Badge, Time, TimeFormat, Tone},
        table::{ActionsTh, Table, Th},
    },
    model::{
        audit::SearchText,
        notice::Notice,
        session::{LiveSession, SessionList},
        timestamp::Timestamp,
    },
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;

/// Actions of the page. The result of each is shown on the page.
#[derive(Clone, Copy)]
struct SessionActions {
    end: ServerAction<EndSession>,
    end_others: ServerAction<EndOtherSessions>,
}

#[component]
pub fn SessionsPage() -> impl IntoView {
    let viewer = use_viewer();
    let actions = SessionActions {
        end: use_form(),
        end_others: use_form(),
    };
    // Only the latest result is shown.
    Effect::watch(
        move || actions.end.version().get(),
        move |_, _, _| actions.end_others.value().set(None),
        false,
    );
    Effect::watch(
        move || actions.end_others.version().get(),
        move |_, _, _| actions.end.value().set(None),
        false,
    );
    let version = move || {
        (
            actions.end.version().get(),
            actions.end_others.version().get(),
        )
    };
    let parameters = urls::use_parameters();
    let name = Memo::new(move |_| {
        let typed = parameters.read().get("person").unwrap_or_default();
        SearchText::from(typed)
    });
    let own = page_resource(version, |_| list_own_sessions());
    // Not called without the privilege: the refusal would replace the whole page.
    let asked_for = move || (version(), name.get());
    let others = page_resource(asked_for, move |(_, name)| async move {
        let viewer = viewer.await.ok();
        match viewer.filter(|viewer| viewer.access.manage_security.is_granted()) {
            Some(_) => list_others_sessions(name).await.map(Some),
            None => Ok(None),
        }
    });
    view! {
        <Title text="Your sessions · Agent Keys" />
        <main id="main" class="page">
            <header class="page-header">
                <div data-part="title">
                    <h1>"Your sessions"</h1>
                    <p>
                        "Browsers where you are signed in. If you do not recognise one, end its session and change your password."
                    </p>
                </div>
            </header>
            <LastResult actions />
            <Transition fallback=|| view! { <p role="status">"Loading sessions"</p> }>
                {move || Suspend::new(async move {
                    let (own, others) = (own.await, others.await);
                    let own = match own {
                        Ok(list) => view! { <PasswordChanged notice=list.notice.clone() /> <Own list actions /> }.into_any(),
                        Err(problem) => view! { <ProblemPrompt problem retry=urls::sessions() /> }.into_any(),
                    };
                    let others = match others {
                        Ok(Some(list)) => {
                            let name = name.get_untracked();
                            view! { <OtherUsers list name actions /> }.into_any()
                        }
                        Ok(None) => ().into_any(),
                        Err(problem) => view! { <ProblemPrompt problem retry=urls::sessions() /> }.into_any(),
                    };
                    view! { {own} {others} }.into_any()
                })}
            </Transition>
        </main>
    }
    .into_any()
}

#[component]
fn LastResult(actions: SessionActions) -> impl IntoView {
    let count = |ended: u64| match ended {
        0 => "There were no other sessions.".to_owned(),
        1 => "Ended 1 session.".to_owned(),
        _ => format!("Ended {ended} sessions."),
    };
    move || {
        let one = actions.end.value().get();
        let several = actions.end_others.value().get();
        one.map(|result| result.map(|()| "Ended the session.".to_owned()))
            .or_else(|| several.map(|result| result.map(count)))
            .map(|result| view! { <ResultNotice result /> })
    }
}

/// Says that the user has just changed the password.
#[component]
fn PasswordChanged(notice: Option<Notice>) -> impl IntoView {
    (notice == Some(Notice::OwnPasswordChanged)).then(|| {
        let text = "Changed your password. Your other sessions have ended.".to_owned();
        view! { <ResultNotice result=Ok(text) /> }
    })
}

/// The user's own sessions, and the button that ends all others.
#[component]
fn Own(list: SessionList, actions: SessionActions) -> impl IntoView {
    let end_others = actions.end_others;
    let has_others = list.sessions.len() > 1;
    let end_all = has_others.then(|| {
        view! {
            <ActionForm action=end_others>
                <button class="button" data-variant="danger-quiet" type="submit" disabled=move || end_others.pending().get()>
                    "End all other sessions"
                </button>
            </ActionForm>
        }
    });
    view! {
        <section class="panel">
            <header>
                <div>
                    <h2>"Active sessions"</h2>
                    <p>"A session ends after 30 minutes of inactivity, and after 12 hours at the latest."</p>
                </div>
                <div class="button-row">{end_all}</div>
            </header>
            <SessionTable list actions whose=Whose::Own />
        </section>
    }
    .into_any()
}

/// Sessions of other users.
#[component]
fn OtherUsers(list: SessionList, name: SearchText, actions: SessionActions) -> impl IntoView {
    let shown = list.sessions.len();
    let more = list.more.then(|| {
        view! { <p class="small muted">"Only the " {shown} " most recently used are shown."</p> }
    });
    let content = if list.sessions.is_empty() {
        let text = if name.is_empty() {
            "No other users are signed in."
        } else {
            "No other signed-in user matches."
        };
        view! { <div data-part="body"><p class="muted">{text}</p></div> }.into_any()
    } else {
        view! { <SessionTable list actions whose=Whose::OtherUsers /> }.into_any()
    };
    view! {
        <section class="panel">
            <header>
                <div>
                    <h2>"Other users"</h2>
                    <p>
                        "Visible to users with manage_security. Ending a session asks for your password if you entered it more than five minutes ago."
                    </p>
                    {more}
                </div>
            </header>
            <search>
                <GetForm action=urls::sessions()>
                    <div class="toolbar">
                        <SearchBox
                            name="person"
                            label="Search users"
                            placeholder="Search by user"
                            value=String::from(name)
                        />
                    </div>
                </GetForm>
            </search>
            {content}
        </section>
    }
    .into_any()
}

/// Owner of the sessions in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Own,
    /// Sessions of other users.
    OtherUsers,
}

#[component]
fn SessionTable(list: SessionList, actions: SessionActions, whose: Whose) -> impl IntoView {
    let name = match whose {
        Whose::Own => "Your sessions",
        Whose::OtherUsers => "Sessions of other users",
    };
    let now = list.now;
    let rows: Vec<_> = list
        .sessions
        .into_iter()
        .map(|session| view! { <SessionRow session now actions whose /> })
        .collect();
    let head = view! {
        <Th text="Device" />
        {(whose == Whose::OtherUsers).then(|| view! { <Th text="User" /> })}
        <Th text="Address" />
        <Th text="Signed in" />
        <Th text="Last used" />
        <ActionsTh />
    };
    view! { <Table label=name caption=name head=head.into_any() rows=rows.into_any() /> }.into_any()
}

#[component]
fn SessionRow(
    session: LiveSession,
    now: Timestamp,
    actions: SessionActions,
    whose: Whose,
) -> impl IntoView {
    let end = actions.end;
    let is_this = session.is_this;
    let not_known = || "Unknown".to_owned();
    let device = session.browser.unwrap_or_else(not_known);
    let of = match whose {
        Whose::Own => format!(" session: {device}"),
        Whose::OtherUsers => format!(" session of {}: {device}", session.username),
    };
    let person = (whose == Whose::OtherUsers).then(|| {
        view! {
            <td role="cell" data-label="User">
                <div>
                    <bdi>{session.username}</bdi>
                    <div data-part="secondary"><bdi>{session.realm}</bdi></div>
                </div>
            </td>
        }
    });
    let button = (!is_this).then(|| {
        view! {
            <ActionForm action=end>
                <input type="hidden" name="id" value=session.id />
                <button
                    type="submit"
                    class="button"
                    data-size="sm"
                    data-variant="danger-quiet"
                    disabled=move || end.pending().get()
                >
                    <span>"End" <span class="visually-hidden">{of}</span></span>
                </button>
            </ActionForm>
        }
    });
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">
                <div>
                    <span data-part="primary">{device}</span>
                    {is_this.then(|| view! { " " <Badge tone=Tone::Accent text="This session" /> })}
                </div>
            </th>
            {person}
            <td role="cell" data-label="Address"><div><bdi class="mono">{session.address.unwrap_or_else(not_known)}</bdi></div></td>
            <td role="cell" data-label="Signed in"><div><Time at=session.signed_in_at format=TimeFormat::Ago(now) /></div></td>
            <td role="cell" data-label="Last used"><div><Time at=session.used_at format=TimeFormat::Ago(now) /></div></td>
            <td role="cell" data-cell="actions"><div>{button}</div></td>
        </tr>
    }
    .into_any()
}
