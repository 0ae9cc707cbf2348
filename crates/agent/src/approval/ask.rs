//! Asking a person, as part of a run.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::time::{Timestamp, format_duration};
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Ctx, Effects, Grant, RetryPolicy, work};
use adjutant_policy::facts::Origin;
use adjutant_tool::Output;
use futures::future::{Either, select};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::Answer;
use super::desk::Terms;
use super::grant::{self, Wish};
use super::notice::Notice;
use super::request::Request;
use super::signal;
use crate::returned::Called;
use crate::runtime::Runtime;

/// The names of the steps around the wait.
pub(crate) const OPENING: &str = "approval";
pub(crate) const NOTIFY: &str = "notify";
pub(crate) const GRANT: &str = "grant";

/// Marks runs that record who may answer for how long. Those that began to wait before do so as they did.
const TERMS: &str = "approval-terms";

/// How often telling somebody is tried.
const TELLING: RetryPolicy = RetryPolicy { attempts: 6, first_wait_ms: 1_000 };
const LONGEST_TELLING: Duration = Duration::from_secs(30);

/// A call that needs a person.
pub(crate) struct Asked<'a> {
    /// The call, its arguments repaired and validated.
    pub(crate) called: &'a Called,
    /// Why.
    pub(crate) why: &'a str,
    /// The policies that ask.
    pub(crate) policies: &'a [String],
    /// Where the arguments came from.
    pub(crate) origins: &'a BTreeMap<String, Origin>,
    /// What was read before.
    pub(crate) read: &'a Label,
    /// Whether a person is asked each time, whatever was allowed beforehand.
    pub(crate) each_time: bool,
}

/// What came of asking.
#[derive(Debug, PartialEq)]
pub(crate) enum Answered {
    /// The call may be made; this is recorded as the reason.
    Approved(Json),
    /// It may be made with other arguments, which are yet to be checked and decided on.
    Edited(Edited),
    /// It is not made, and this stands in the place of its result.
    Instead(Output),
    /// It is not made, and the model hears why.
    Denied(Error),
}

/// A call that a person has changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Edited {
    /// The arguments, as the person wrote them.
    pub(crate) arguments: Value,
    /// Who.
    pub(crate) by: String,
    /// What is recorded as the reason why it is allowed.
    pub(crate) reason: Json,
}

/// What is known when a request is opened, recorded since it may be otherwise the next time.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Opening {
    /// The grant that allows the call already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    granted: Option<Grant>,
    /// How long a person has.
    expires_ms: u64,
    /// Whether somebody is told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    notify: bool,
}

/// Waits for a person to answer, unless one has allowed the call beforehand or nobody does in time.
pub(crate) async fn ask(ctx: &Ctx, agent: &Arc<Runtime>, asked: &Asked<'_>) -> Result<Answered> {
    let Asked { called, why, policies, .. } = *asked;
    let signal = signal(ctx);
    let mut request = Request {
        call: called.call.clone(),
        tool: called.name.clone(),
        arguments: called.arguments.clone(),
        why: why.to_owned(),
        description: None,
        effect: None,
        origins: BTreeMap::new(),
        read: Label::default(),
        policies: Vec::new(),
        digest: None,
        expires: None,
    };
    if !ctx.version(TERMS).await? {
        let answer = ctx.signal(&signal, Json::of(&request)?).await?;
        return Ok(judge(&answer, &request, &signal));
    }
    let digest = Request::seal(ctx.run(), &signal, &called.name, &called.arguments);
    let wish = Wish {
        agent: agent.definition.name.clone(),
        user: agent.user.clone(),
        tool: called.name.clone(),
        arguments: called.arguments.clone(),
        policies: policies.to_vec(),
        place: grant::place(agent, ctx.run()),
        at: ctx.now(),
    };
    let opening = open(ctx, agent, &wish, digest, asked.each_time).await?;
    if let Some(granted) = &opening.granted {
        return Ok(Answered::Approved(grant::reason(granted)));
    }
    let given = Duration::from_millis(opening.expires_ms);
    let spec = agent.definition.tool(&called.name);
    request.description = spec.map(|spec| spec.description.clone());
    request.effect = spec.map(|spec| spec.effect);
    request.origins = asked.origins.clone();
    request.read = asked.read.clone();
    request.policies = policies.to_vec();
    request.digest = Some(digest);
    request.expires = Some(ctx.now().plus(given));

    let Some(answer) = wait(ctx, agent, &request, &signal, given, opening.notify).await? else {
        return Ok(Answered::Denied(expired(given)));
    };
    let answered = judge(&answer, &request, &signal);
    let called = match &answered {
        _ if asked.each_time => None,
        Answered::Approved(_) => Some(wish),
        Answered::Edited(edited) => Some(Wish { arguments: edited.arguments.clone(), ..wish }),
        Answered::Instead(_) | Answered::Denied(_) => None,
    };
    if let (Some(wish), Ok(answer)) = (called, answer.to::<Answer>())
        && let Some(granted) = wish.grant(ctx.run(), &signal, &answer)
    {
        keep(ctx, agent, &granted).await?;
    }
    Ok(answered)
}

/// Looks for a grant, and for how a request is treated now.
async fn open(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    wish: &Wish,
    digest: Digest,
    each_time: bool,
) -> Result<Opening> {
    let input = json!({ "tool": wish.tool, "digest": digest, "policies": wish.policies });
    let (agent, wish) = (Arc::clone(agent), wish.clone());
    let look = work(move |_| {
        let (agent, wish) = (Arc::clone(&agent), wish.clone());
        async move {
            let granted = match &agent.desk {
                Some(desk) if !each_time => wish.granted(desk).await?,
                _ => None,
            };
            let own = agent.definition.approve_within_ms.map(Duration::from_millis);
            let terms = agent.desk.as_ref().map_or_else(Terms::default, |desk| desk.terms);
            let expires = own.unwrap_or(terms.expires);
            let notify = granted.is_none() && agent.desk.as_ref().is_some_and(|desk| desk.notifier.is_some());
            let expires_ms = u64::try_from(expires.as_millis()).unwrap_or(u64::MAX);
            Json::of(&Opening { granted, expires_ms, notify })
        }
    });
    ctx.effect(OPENING, Effects::pure(), input.into(), look).await?.to()
}

/// The grant that was found when a request was opened, as that was recorded.
pub(crate) fn granted(opened: &Json) -> Option<Grant> {
    opened.to::<Opening>().ok()?.granted
}

/// Waits for the answer; none where nobody gives one in time. An answer that was given in time counts, whenever the run
/// comes to look at it.
async fn wait(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    request: &Request,
    signal: &str,
    given: Duration,
    notify: bool,
) -> Result<Option<Json>> {
    let answer = std::pin::pin!(ctx.signal(signal, Json::of(request)?));
    let expiry = std::pin::pin!(ctx.sleep(given));
    let telling = std::pin::pin!(async {
        if notify {
            // Whether somebody could be told changes nothing: the request stands in the list.
            let _ = tell(ctx, agent, request, signal).await;
        }
        pending::<()>().await;
    });
    match select(answer, select(expiry, telling)).await {
        Either::Left((answer, _)) => answer.map(Some),
        Either::Right((Either::Left((expired, _)), _)) => expired.map(|()| None),
        Either::Right((Either::Right(((), _)), _)) => Ok(None),
    }
}

/// The tenant, where a person has to be told whose run it is.
fn tenant_of(scope: &Scope) -> Option<String> {
    let is_usual = scope.tenant == Scope::default().tenant;
    (!is_usual).then(|| scope.tenant.to_string())
}

/// Tells somebody outside that the call waits. After a crash they may be told again, under the same id.
async fn tell(ctx: &Ctx, agent: &Arc<Runtime>, request: &Request, signal: &str) -> Result<()> {
    let input = json!({ "signal": signal, "digest": request.digest });
    let (agent, request, signal, at) = (Arc::clone(agent), request.clone(), signal.to_owned(), ctx.now());
    let tell = work(move |attempt| {
        let notice = Notice {
            id: attempt.idempotency_key.to_string(),
            tenant: tenant_of(&attempt.scope),
            run: attempt.run.clone(),
            agent: agent.definition.name.clone(),
            session: agent.session.clone(),
            user: agent.user.clone(),
            signal: signal.clone(),
            at,
            request: request.clone(),
        };
        let notifier = agent.desk.as_ref().and_then(|desk| desk.notifier.clone());
        async move {
            match notifier {
                Some(notifier) => notifier.notify(notice).await.map(|()| Json::null()),
                None => Ok(Json::null()),
            }
        }
    });
    let effects = Effects::new(Effect::Idempotent).timeout(LONGEST_TELLING).retry(TELLING);
    ctx.effect(NOTIFY, effects, input.into(), tell).await.map(drop)
}

/// Has a grant kept, for the calls that come.
async fn keep(ctx: &Ctx, agent: &Arc<Runtime>, granted: &Grant) -> Result<()> {
    let input = Json::of(granted)?;
    let (agent, granted) = (Arc::clone(agent), granted.clone());
    let keep = work(move |_| {
        let (agent, granted) = (Arc::clone(&agent), granted.clone());
        async move {
            match &agent.desk {
                Some(desk) => desk.engine.grant(granted).await.map(|_| Json::null()),
                None => Ok(Json::null()),
            }
        }
    });
    ctx.effect(GRANT, Effects::new(Effect::Idempotent), input, keep).await.map(drop)
}

fn expired(given: Duration) -> Error {
    let message = format!("nobody answered the request for approval within {}", format_duration(given));
    Error::new(Code::ToolDenied, message).with_help("find another way, or say what is left to be approved")
}

/// Reads a person's answer. What cannot be read is a refusal, and so is what was said of another call or too late.
pub(crate) fn judge(answer: &Json, request: &Request, signal: &str) -> Answered {
    let denied = |reason: Option<String>, by: Option<&str>| {
        let by = by.unwrap_or("a person");
        let why = reason.filter(|reason| !reason.trim().is_empty());
        let message = match why {
            Some(why) => format!("{by} refused the call: {why}"),
            None => format!("{by} refused the call, without a reason"),
        };
        Answered::Denied(
            Error::new(Code::ToolDenied, message)
                .with_help("do not try the same again; find another way or ask"),
        )
    };
    let Ok(answer) = answer.to::<Answer>() else {
        return denied(Some("the answer to the request for approval cannot be read".to_owned()), None);
    };
    if let Err(error) = answer.check(request, answer.at.unwrap_or(Timestamp(i64::MIN))) {
        return denied(Some(error.message().to_owned()), None);
    }
    let by = answer.by.as_deref();
    if let Some(instead) = answer.instead {
        let by = by.unwrap_or("a person");
        let note = format!("{by} answered in the place of the tool, which was not called");
        // A person has said it, and vouches for it.
        let output = Output { note: Some(note), ..Output::json(instead) }.labelled(Label::default());
        return Answered::Instead(output);
    }
    if !answer.approve {
        return denied(answer.reason, by);
    }
    let mut reason = json!({ "allowed_by": "approval", "approval": signal });
    if let Value::Object(fields) = &mut reason {
        fields.extend(by.map(|by| ("by".to_owned(), json!(by))));
        fields.extend(answer.at.map(|at| ("at".to_owned(), json!(at))));
    }
    match answer.arguments {
        Some(arguments) if arguments != request.arguments => {
            let by = answer.by.unwrap_or_else(|| "a person".to_owned());
            Answered::Edited(Edited { arguments, by, reason: reason.into() })
        }
        _ => Answered::Approved(reason.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        serde_json::from_value(json!({
            "call": "c", "tool": "pay", "arguments": { "amount": 5 }, "why": "", "expires": 100,
            "digest": Digest::of(b"this"),
        }))
        .unwrap()
    }

    fn judged(answer: &str) -> Answered {
        judge(&Json::parse(answer).unwrap(), &request(), "approve:x")
    }

    #[test]
    fn only_a_clear_yes_is_one() {
        for (answer, allowed) in [
            (r#"{"approve":true}"#, true),
            (r#"{"approve":true,"by":"ann","at":99}"#, true),
            (r#"{"approve":true,"at":100}"#, false),
            (r#"{"approve":false}"#, false),
            (r#"{"approve":false,"reason":"too much"}"#, false),
            (r#"{"approve":"yes"}"#, false),
            ("true", false),
            ("null", false),
        ] {
            assert_eq!(matches!(judged(answer), Answered::Approved(_)), allowed, "{answer}");
        }
        let other = format!(r#"{{"approve":true,"digest":"{}"}}"#, Digest::of(b"that"));
        assert!(matches!(judged(&other), Answered::Denied(_)));
        let Answered::Denied(refused) = judged(r#"{"approve":false,"reason":"too much","by":"ann"}"#) else {
            panic!("it is refused")
        };
        assert_eq!(refused.message(), "ann refused the call: too much");
    }

    #[test]
    fn a_person_may_change_the_call_or_answer_in_its_place() {
        let Answered::Edited(edited) = judged(r#"{"approve":true,"arguments":{"amount":4},"by":"ann"}"#)
        else {
            panic!("it is edited")
        };
        assert_eq!((edited.arguments, edited.by.as_str()), (json!({ "amount": 4 }), "ann"));
        // What was not changed is no edit.
        assert!(matches!(judged(r#"{"approve":true,"arguments":{"amount":5}}"#), Answered::Approved(_)));
        let Answered::Instead(output) = judged(r#"{"approve":false,"instead":"paid by hand","by":"ann"}"#)
        else {
            panic!("it is answered")
        };
        assert!(output.label().is_trusted());
        assert_eq!(output.data, Some(json!("paid by hand")));
    }
}
