//! `now`: what time it is.

use std::sync::Arc;

use adjutant_core::label::Label;
use adjutant_core::time::Clock;
use adjutant_core::tool::Flow;
use adjutant_core::{Code, Error, Result};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::generated::specification;
use crate::{Effect, Failure, FunctionTool, Output, Tool};

/// What `now` is asked for.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    /// The IANA time zone, such as Europe/Berlin. Leave it out for the usual one.
    time_zone: Option<String>,
}

/// The tool `now`, which reads `clock` and answers in `time_zone` (IANA, such as `Europe/Berlin`, or `UTC`) unless the
/// model asks for another one. Fails with [`Code::ToolInvalid`] when there is no such time zone.
pub fn now(clock: Arc<dyn Clock>, time_zone: &str) -> Result<Arc<dyn Tool>> {
    let usual = TimeZone::get(time_zone).map_err(|_| {
        Error::new(Code::ToolInvalid, unknown_zone(time_zone)).with_help("use a name such as Europe/Berlin")
    })?;
    let description = format!("Says what date and time it is, in {time_zone} or in another time zone.");
    let mut spec = specification::<Question>("now", &description, Effect::Pure, None, None);
    spec.flow = Flow::inside("clock");
    let tool = FunctionTool::new(spec, move |arguments, _context| {
        let (clock, usual) = (Arc::clone(&clock), usual.clone());
        async move { answer(&*clock, usual, &crate::generated::read(arguments)?).map_err(Failure::from) }
    });
    Ok(Arc::new(tool))
}

fn answer(clock: &dyn Clock, usual: TimeZone, question: &Question) -> Result<Output> {
    let zone = match question.time_zone.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => TimeZone::get(name).map_err(|_| {
            Error::new(Code::ToolFailed, unknown_zone(name))
                .with_help("use an IANA name such as Europe/Berlin or UTC")
        })?,
        None => usual,
    };
    let now = jiff::Timestamp::from_millisecond(clock.now().0)
        .map_err(|error| Error::new(Code::ToolFailed, "the clock shows no date").caused_by(&error))?
        .to_zoned(zone);
    let text = now.strftime("%A, %Y-%m-%d %H:%M:%S %:z").to_string();
    let data = json!({
        "time": now.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        "time_zone": now.time_zone().iana_name(),
        "weekday": now.strftime("%A").to_string(),
    });
    Ok(Output { data: Some(data), ..Output::text(text) }.labelled(Label::default()))
}

fn unknown_zone(name: &str) -> String {
    let short: String = name.chars().take(60).collect();
    format!("there is no time zone `{short}`")
}

#[cfg(test)]
mod tests {
    use adjutant_core::id::{RunId, StepKey};
    use adjutant_core::time::Timestamp;

    use super::*;
    use crate::Context;

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp(1_795_345_200_000)
        }
    }

    #[tokio::test]
    async fn it_answers_in_the_zone_that_is_asked_for() {
        let tool = now(Arc::new(Fixed), "Europe/Berlin").unwrap();
        let context = Context::new(RunId::from_bytes([1; 10]), StepKey::root(), "c".into());
        let ask = |arguments| tool.call(arguments, context.clone());
        let output = ask(json!({})).await.unwrap();
        assert_eq!(output.as_text(), "Sunday, 2026-11-22 12:00:00 +01:00");
        assert_eq!(output.label, Some(Label::default()));
        let output = ask(json!({"time_zone": "America/New_York"})).await.unwrap();
        assert_eq!(output.data.unwrap()["time"], "2026-11-22T06:00:00-05:00");
        let Err(Failure::Model(error)) = ask(json!({"time_zone": "Mars/Base"})).await else {
            panic!("no error")
        };
        assert_eq!(error.message(), "there is no time zone `Mars/Base`");
        assert_eq!(now(Arc::new(Fixed), "Mars/Base").err().unwrap().code(), Code::ToolInvalid);
    }
}
