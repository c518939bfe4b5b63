//! Where a person is signed in; and for those who manage security, where everybody else is.

mod table;

use super::layout::use_viewer;
use crate::{
    components::{
        badge::Tone,
        callout::{Announce, Callout},
        form::{ActionForm, use_form},
        problem::{ProblemCallout, ProblemPrompt},
        search_box::SearchBox,
    },
    model::{audit::SearchText, session::SessionList},
    questions::{
        ask,
        sessions::{EndOtherSessions, EndSession, list_others_sessions, list_own_sessions},
    },
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Form;
use table::{SessionTable, Whose};

/// What can be done on the page; each form answers in place.
#[derive(Clone, Copy)]
struct Actions {
    end: ServerAction<EndSession>,
    end_others: ServerAction<EndOtherSessions>,
}

/// The page.
#[component]
pub fn SessionsPage() -> impl IntoView {
    let viewer = use_viewer();
    let actions = Actions {
        end: use_form(),
        end_others: use_form(),
    };
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
    let own = ask(version, |_| list_own_sessions());
    // For those who may not see them it is no question at all: a refusal would be the whole page's.
    let asked_for = move || (version(), name.get());
    let others = ask(asked_for, move |(_, name)| async move {
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
                        "Where you are signed in. End what you do not recognise, and change your password in Elasticsearch."
                    </p>
                </div>
            </header>
            <Outcome actions />
            <Transition fallback=|| view! { <p role="status">"Loading sessions"</p> }>
                {move || Suspend::new(async move {
                    let (own, others) = (own.await, others.await);
                    let own = match own {
                        Ok(list) => view! { <Own list actions /> }.into_any(),
                        Err(problem) => view! { <ProblemPrompt problem retry=urls::sessions() /> }.into_any(),
                    };
                    let others = match others {
                        Ok(Some(list)) => {
                            let name = name.get_untracked();
                            view! { <OtherPeople list name actions /> }.into_any()
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

/// What the last change came to.
#[component]
fn Outcome(actions: Actions) -> impl IntoView {
    let count = |ended: u64| match ended {
        0 => "There was no other session.".to_owned(),
        1 => "Ended 1 session.".to_owned(),
        _ => format!("Ended {ended} sessions."),
    };
    move || {
        let one = actions.end.value().get();
        let several = actions.end_others.value().get();
        let outcome = one
            .map(|result| result.map(|()| "Ended the session.".to_owned()))
            .or_else(|| several.map(|result| result.map(count)));
        match outcome {
            Some(Ok(text)) => view! {
                <Callout tone=Tone::Success announce=Announce::Status small=true>
                    <p>{text}</p>
                </Callout>
            }
            .into_any(),
            Some(Err(problem)) => view! { <ProblemCallout problem /> }.into_any(),
            None => ().into_any(),
        }
    }
}

/// The person's own, and the way to be rid of all but this one.
#[component]
fn Own(list: SessionList, actions: Actions) -> impl IntoView {
    let end_others = actions.end_others;
    let has_others = list.sessions.len() > 1;
    let end_all = has_others.then(|| {
        view! {
            <ActionForm action=end_others>
                <button class="button" data-variant="danger-quiet" type="submit" disabled=move || end_others.pending().get()>
                    "End all others"
                </button>
            </ActionForm>
        }
    });
    view! {
        <section class="panel">
            <header>
                <div>
                    <h2>"Signed in as you"</h2>
                    <p>"A session ends after 30 minutes without use, and after 12 hours in any case."</p>
                </div>
                <div class="button-row">{end_all}</div>
            </header>
            <SessionTable list actions whose=Whose::Own />
        </section>
    }
    .into_any()
}

/// Everybody else's.
#[component]
fn OtherPeople(list: SessionList, name: SearchText, actions: Actions) -> impl IntoView {
    let shown = list.sessions.len();
    let more = list.more.then(|| {
        view! { <p class="small muted">"These are the " {shown} " that were used last. There are more."</p> }
    });
    let content = if list.sessions.is_empty() {
        let nobody = if name.is_empty() {
            "Nobody else is signed in."
        } else {
            "Nobody else of such a name is signed in."
        };
        view! { <div data-part="body"><p class="muted">{nobody}</p></div> }.into_any()
    } else {
        view! { <SessionTable list actions whose=Whose::OtherPeople /> }.into_any()
    };
    view! {
        <section class="panel">
            <header>
                <div>
                    <h2>"Other people"</h2>
                    <p>
                        "You see this because you hold manage_security. Ending somebody’s session asks for your password, if you entered it more than five minutes ago."
                    </p>
                    {more}
                </div>
            </header>
            <search>
                <Form method="GET" action=urls::sessions()>
                    <div class="toolbar">
                        <SearchBox
                            name="person"
                            label="Search people"
                            placeholder="Search by user"
                            value=String::from(name)
                        />
                    </div>
                </Form>
            </search>
            {content}
        </section>
    }
    .into_any()
}
