//! Role mappings that give the agent key role: the panel, and the dialogs that create, change and delete one.

use crate::{
    api::{
        page_resource,
        users::{ChangeRoleMapping, CreateRoleMapping, DeleteRoleMapping, list_role_mappings},
    },
    components::{
        code::CodeBlock,
        dialog::{Dialog, DialogForm, DialogProblem, DialogShape},
        form::{FieldErrors, SubmitButton, TextField, is_refused, use_form, use_problem},
        icon::{Icon, IconName},
        problem::ProblemCallout,
        status::{Badge, Callout, Tone},
        table::{ActionsTh, Table, Th},
    },
    model::{
        problem::{Problem, ProblemKind},
        role_mapping::{
            MappingRules, MappingSubject, RoleMapping, RoleMappingErrors, RoleMappingForm,
            SimpleRule,
        },
        text::visible,
        user::AGENT_KEY_ROLE,
        user_list::UserQuery,
    },
    pages::users::{dialogs::list_input, query_behind},
    urls,
};
use leptos::prelude::*;
use leptos_meta::Title;

#[component]
pub(super) fn MappingPanel(
    query: Memo<UserQuery>,
    mappings: Result<Vec<RoleMapping>, Problem>,
) -> impl IntoView {
    let content = match mappings {
        Err(problem) => {
            view! { <div data-part="body"><ProblemCallout problem /></div> }.into_any()
        }
        Ok(mappings) if mappings.is_empty() => view! {
            <div data-part="body">
                <p class="muted">
                    "No role mapping gives the agent key role. Without one, only users in the list above can have it."
                </p>
            </div>
        }
        .into_any(),
        Ok(mappings) => {
            let rows: Vec<_> = mappings
                .into_iter()
                .map(|mapping| view! { <MappingRow query mapping /> }.into_any())
                .collect();
            let head = view! {
                <Th text="Role mapping" />
                <Th text="Gives the role to" />
                <Th text="Matches you" />
                <Th text="Status" />
                <ActionsTh />
            };
            view! {
                <Table
                    label="List of role mappings"
                    caption="Role mappings that give the agent key role"
                    class="table mapping-list"
                    head=head.into_any()
                    rows=rows.into_any()
                />
            }
            .into_any()
        }
    };
    let create = move || urls::role_mapping_dialog("new", None, &query.read());
    view! {
        <section class="panel" aria-labelledby="mappings-h">
            <header>
                <div>
                    <h2 id="mappings-h">"Role mappings"</h2>
                    <p>
                        "Give the agent key role to groups and users of other realms. A change applies at the next sign-in through SAML or OIDC, and at the next request through LDAP, Active Directory, Kerberos, PKI or JWT."
                    </p>
                </div>
                <div class="button-row">
                    <a class="button" href=create>
                        <Icon name=IconName::Plus />
                        "Create role mapping"
                    </a>
                </div>
            </header>
            {content}
        </section>
    }
    .into_any()
}

#[component]
fn MappingRow(query: Memo<UserQuery>, mapping: RoleMapping) -> impl IntoView {
    let name = visible(&mapping.name);
    let status = if mapping.enabled {
        view! { <Badge tone=Tone::Success text="Enabled" variant="dot" /> }
    } else {
        view! { <Badge tone=Tone::Warning text="Disabled" /> }
    };
    let reason = mapping.matches_viewer.reason();
    let other = (!mapping.other_roles.is_empty()).then(|| {
        let roles: Vec<_> = mapping
            .other_roles
            .iter()
            .map(|role| visible(role))
            .collect();
        view! { <div data-part="secondary">"Also gives " <bdi>{roles.join(", ")}</bdi></div> }
    });
    let warnings: Vec<_> = mapping
        .warnings
        .iter()
        .map(|warning| {
            view! {
                <p data-part="warning">
                    <Icon name=IconName::Warn />
                    <span>{warning.to_string()}</span>
                </p>
            }
        })
        .collect();
    let (rules, actions) = (rules(&mapping), actions(&mapping, query));
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">
                <span data-part="primary"><bdi>{name}</bdi></span>
                {other}
            </th>
            <td role="cell" data-label="Gives the role to"><div>{rules} {warnings}</div></td>
            <td role="cell" data-label="Matches you">
                <div>
                    {mapping.matches_viewer.label()}
                    {reason.map(|reason| view! { <div data-part="secondary">{reason}</div> })}
                </div>
            </td>
            <td role="cell" data-label="Status"><div>{status}</div></td>
            <td role="cell" data-cell="actions"><div>{actions}</div></td>
        </tr>
    }
    .into_any()
}

/// The rule in words, or as JSON.
fn rules(mapping: &RoleMapping) -> AnyView {
    match &mapping.rules {
        MappingRules::Simple(rule) => {
            let (subject, realm) = (subject_label(rule), visible(&rule.realm));
            let values: Vec<_> = rule
                .values
                .iter()
                .map(|value| view! { " " <Badge variant="outline" text=visible(value) /> })
                .collect();
            view! { <span>{subject} {values} " of realm " <bdi>{realm}</bdi></span> }.into_any()
        }
        MappingRules::Other(json) => {
            let intro = if mapping.has_templates {
                "Elasticsearch computes the roles from templates at sign-in. They may include the agent key role."
            } else {
                "Other rules"
            };
            let json = json.clone();
            view! {
                <span>{intro}</span>
                <details class="disclosure">
                    <summary>"Show the rules"</summary>
                    <CodeBlock title="Rules" text=json />
                </details>
            }
            .into_any()
        }
    }
}

fn subject_label(rule: &SimpleRule) -> &'static str {
    match (rule.subject, rule.values.len()) {
        (MappingSubject::Groups, 1) => "Group",
        (MappingSubject::Groups, _) => "Groups",
        (MappingSubject::Users, 1) => "User",
        (MappingSubject::Users, _) => "Users",
    }
}

/// Links to the dialogs, or the reason why there are none.
fn actions(mapping: &RoleMapping, query: Memo<UserQuery>) -> AnyView {
    let (name, shown) = (mapping.name.clone(), visible(&mapping.name));
    if mapping.is_operators {
        return view! { <span data-part="secondary"><Icon name=IconName::Lock /> "From a settings file of the cluster"</span> }.into_any();
    }
    if mapping.editable().is_none() {
        return view! { <span data-part="secondary"><Icon name=IconName::Lock /> "Change it in Kibana"</span> }.into_any();
    }
    let dialog = {
        let name = name.clone();
        move |dialog: &'static str| urls::role_mapping_dialog(dialog, Some(&name), &query.read())
    };
    let edit = dialog.clone();
    view! {
        <a class="button" data-variant="quiet" data-size="sm" href=move || edit("edit")>
            "Edit" <span class="visually-hidden">" " {shown.clone()}</span>
        </a>
        <a class="button" data-variant="danger-quiet" data-size="sm" href=move || dialog("delete")>
            "Delete" <span class="visually-hidden">" " {shown}</span>
        </a>
    }
    .into_any()
}

#[component]
pub fn CreateMappingPage() -> impl IntoView {
    const TITLE: &str = "create-mapping-title";
    let create = use_form::<CreateRoleMapping>();
    let list = query_behind();
    let close = urls::user_list(&list);
    let typed = create.input().get_untracked().map(|input| input.form);
    let typed = typed.unwrap_or_else(|| RoleMappingForm {
        enabled: Some("on".to_owned()),
        ..RoleMappingForm::default()
    });
    let problem = use_problem(create);
    view! {
        <Title text="Create role mapping · Agent Keys" />
        <Dialog shape=DialogShape::Flyout labelled_by=TITLE close=close.clone()>
            <DialogForm
                action=create
                id=TITLE
                title="Create role mapping"
                help="Gives the agent key role to groups or users of one realm."
                close
                gap="lg"
                problem
                submit=view! { <SubmitButton label="Create role mapping" pending=create.pending() /> }.into_any()
            >
                {list_input(&list)}
                <Fields typed problem is_new=true />
            </DialogForm>
        </Dialog>
    }
    .into_any()
}

/// A dialog for the mapping that its address names, if the form can change it.
fn mapping_dialog(
    shape: DialogShape,
    id: &'static str,
    title: &'static str,
    draw: impl Fn(RoleMapping, UserQuery, String) -> AnyView + Clone + Send + Sync + 'static,
) -> AnyView {
    let parameters = urls::use_parameters();
    let name = parameters
        .read_untracked()
        .get("mapping")
        .unwrap_or_default();
    let list = query_behind();
    let close = urls::user_list(&list);
    let mappings = page_resource(|| (), |()| list_role_mappings());
    let alert = shape == DialogShape::Centred;
    view! {
        <Title text=format!("{title} · Agent Keys") />
        <Dialog shape labelled_by=id alert close=close.clone()>
            <Suspense fallback=|| view! { <p role="status" data-part="body">"Loading"</p> }>
                {move || {
                    let (name, list, close) = (name.clone(), list.clone(), close.clone());
                    let draw = draw.clone();
                    Suspend::new(async move {
                        match mappings.await.and_then(|mappings| editable(mappings, &name)) {
                            Ok(mapping) => draw(mapping, list, close),
                            Err(problem) => view! { <DialogProblem id title close problem /> }.into_any(),
                        }
                    })
                }}
            </Suspense>
        </Dialog>
    }
    .into_any()
}

fn editable(mappings: Vec<RoleMapping>, name: &str) -> Result<RoleMapping, Problem> {
    let found = mappings.into_iter().find(|mapping| mapping.name == name);
    let found = found.ok_or(ProblemKind::NotFound)?;
    match found.editable() {
        Some(_) => Ok(found),
        None => Err(ProblemKind::MappingNotEditable.into()),
    }
}

#[component]
pub fn EditMappingPage() -> impl IntoView {
    const TITLE: &str = "edit-mapping-title";
    let change = use_form::<ChangeRoleMapping>();
    let problem = use_problem(change);
    let form = move |mapping: RoleMapping, list: UserQuery, close: String| {
        let title = format!("Edit {}", visible(&mapping.name));
        let (typed, version) = match (change.input().get_untracked(), mapping.editable()) {
            (Some(input), _) => (input.form, input.version),
            (None, Some(rule)) => {
                let form = RoleMappingForm::of(&mapping.name, rule, mapping.enabled);
                (form, mapping.version)
            }
            (None, None) => Default::default(),
        };
        view! {
            <DialogForm
                action=change
                id=TITLE
                title
                help="Other roles and the metadata of this mapping stay as they are."
                close
                gap="lg"
                problem
                submit=view! { <SubmitButton label="Save role mapping" pending=change.pending() /> }.into_any()
            >
                {list_input(&list)}
                <input type="hidden" name="version" value=version />
                <Fields typed problem is_new=false />
            </DialogForm>
        }
        .into_any()
    };
    mapping_dialog(DialogShape::Flyout, TITLE, "Edit role mapping", form)
}

#[component]
pub fn DeleteMappingPage() -> impl IntoView {
    const TITLE: &str = "delete-mapping-title";
    let delete = use_form::<DeleteRoleMapping>();
    let problem = use_problem(delete);
    let question = move |mapping: RoleMapping, list: UserQuery, close: String| {
        let rules = rules(&mapping);
        view! {
            <DialogForm
                action=delete
                id=TITLE
                title=format!("Delete {}?", visible(&mapping.name))
                close
                question=true
                problem
                submit=view! { <SubmitButton label="Delete role mapping" pending=delete.pending() danger=true /> }.into_any()
            >
                <Callout tone=Tone::Danger icon=IconName::Warn>
                    <h3>"These users lose the roles that it gives"</h3>
                    <p>{rules}</p>
                    <p>
                        "Users who are signed in through SAML or OIDC keep them until they sign in again. "
                        <strong>"Their keys keep working"</strong> " until they are revoked."
                    </p>
                </Callout>
                <input type="hidden" name="name" value=mapping.name />
                <input type="hidden" name="version" value=mapping.version />
                {list_input(&list)}
            </DialogForm>
        }
        .into_any()
    };
    mapping_dialog(DialogShape::Centred, TITLE, "Delete role mapping", question)
}

/// Fields of a new mapping, or of one that exists, whose name stays.
#[component]
fn Fields(typed: RoleMappingForm, problem: Signal<Option<Problem>>, is_new: bool) -> impl IntoView {
    let errors = Memo::new(move |_| match problem.get() {
        Some(Problem {
            kind: ProblemKind::RoleMapping(errors),
            ..
        }) => errors,
        _ => RoleMappingErrors::default(),
    });
    let name_errors =
        Signal::derive(move || errors.read().name.iter().map(ToString::to_string).collect());
    let realm_errors = Signal::derive(move || {
        errors
            .read()
            .realm
            .iter()
            .map(ToString::to_string)
            .collect()
    });
    let value_errors = Signal::derive(move || {
        errors
            .read()
            .values
            .iter()
            .map(ToString::to_string)
            .collect()
    });
    let name = if is_new {
        view! {
            <TextField
                id="mapping-name"
                name="form[name]"
                label="Name"
                value=typed.name
                help="For example “apm-agent-keys”. It cannot be changed later."
                errors=name_errors
                required=true
                autofocus=true
            />
        }
        .into_any()
    } else {
        view! { <input type="hidden" name="form[name]" value=typed.name /> }.into_any()
    };
    let subject = |value: MappingSubject, word: &'static str, label: &'static str| {
        let checked = typed.subject == value;
        view! {
            <label>
                <input type="radio" name="form[subject]" value=word checked=checked />
                {label}
            </label>
        }
    };
    let invalid = move || errors.read().values.is_some().then_some("true");
    // Without script, an invalid field comes before the usual one.
    let values_focus = is_refused() && errors.read_untracked().values.is_some();
    view! {
        {name}
        <TextField
            id="mapping-realm"
            name="form[realm]"
            label="Realm"
            value=typed.realm
            help="Name of the realm in elasticsearch.yml, for example “saml1”."
            errors=realm_errors
            required=true
            autofocus=!is_new
        />
        <fieldset class="field">
            <legend>"Gives the role to"</legend>
            <div class="segmented">
                {subject(MappingSubject::Groups, "groups", "Groups")}
                {subject(MappingSubject::Users, "users", "Users")}
            </div>
        </fieldset>
        <div class="field">
            <label for="mapping-values">"Names"</label>
            <div class="input" data-mono>
                <textarea
                    id="mapping-values"
                    name="form[values]"
                    rows="4"
                    autocomplete="off"
                    autocapitalize="none"
                    spellcheck="false"
                    autofocus=values_focus
                    aria-required="true"
                    aria-invalid=invalid
                    aria-describedby="mapping-values-error mapping-values-help"
                >
                    {typed.values}
                </textarea>
            </div>
            <FieldErrors id="mapping-values-error" errors=value_errors />
            <p data-part="help" id="mapping-values-help">
                "One a line, exactly as the realm sends them: for LDAP the whole distinguished name."
            </p>
        </div>
        <label class="switch">
            <input type="checkbox" role="switch" name="form[enabled]" checked=typed.enabled.is_some() />
            <span>"Enabled"</span>
        </label>
        <p class="small muted">
            "The users get " <code>{AGENT_KEY_ROLE}</code>
            " at their next sign-in, in addition to their other roles."
        </p>
    }
    .into_any()
}
