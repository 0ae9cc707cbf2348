use adjutant_core::secret::Secret;
use url::Url;

use super::*;

fn check(status: u16, body: &str) -> Error {
    let peer = Peer::new(&Url::parse("https://api.example.com/v1").unwrap(), &[Secret::new("sk-secret")]);
    refusal(&peer, status, &HeaderMap::new(), &Complaint::read(body))
}

#[test]
fn every_refusal_has_a_code() {
    let cases = [
        (400, r#"{"error":{"message":"bad","type":"invalid_request_error"}}"#, Code::ModelRequestRefused),
        (400, r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#, Code::ModelContextExceeded),
        (
            400,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens","code":400}"#,
            Code::ModelContextExceeded,
        ),
        (
            400,
            r#"{"error":{"message":"Invalid 'messages[1].content': string too long.","param":"messages[1].content","code":"string_above_max_length"}}"#,
            Code::ModelContextExceeded,
        ),
        (
            400,
            r#"{"error":{"message":"Invalid 'messages[3].tool_calls[0].id': string too long. Expected a string with maximum length 40.","code":"string_above_max_length"}}"#,
            Code::ModelRequestRefused,
        ),
        (
            400,
            r#"{"error":{"message":"Unsupported parameter: 'temperature' is not supported with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_parameter"}}"#,
            Code::ModelUnsupported,
        ),
        (
            400,
            r#"{"error":{"message":"Invalid 'input[2].output': string too long.","param":"input[2].output","code":"string_above_max_length"}}"#,
            Code::ModelContextExceeded,
        ),
        (
            400,
            r#"{"error":{"message":"Function tools with reasoning_effort are not supported for gpt-5.6-luna in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.","type":"invalid_request_error"}}"#,
            Code::ModelUnsupported,
        ),
        (
            404,
            r#"{"error":{"message":"This model is only supported in v1/responses and not in v1/chat/completions.","param":"model"}}"#,
            Code::ModelUnsupported,
        ),
        (
            400,
            r#"{"error":{"message":"The encrypted content for item rs_1 could not be verified.","code":"invalid_encrypted_content"}}"#,
            Code::ModelRequestRefused,
        ),
        (
            429,
            r#"{"error":{"message":"add credit","type":"insufficient_quota","code":"credit_balance_exhausted"}}"#,
            Code::ModelRequestRefused,
        ),
        (400, r#"{"error":{"message":"registry/llava does not support tools"}}"#, Code::ModelUnsupported),
        (
            400,
            r#"[{"error":{"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]"#,
            Code::ModelKeyRefused,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Thinking may not be enabled when tool_choice forces tool use."}}"#,
            Code::ModelUnsupported,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"This model does not support the effort parameter."}}"#,
            Code::ModelUnsupported,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}"#,
            Code::ModelContextExceeded,
        ),
        (
            403,
            r#"{"type":"error","error":{"type":"permission_error","message":"no","details":{"error_code":"contract_spend_limit_reached"}}}"#,
            Code::ModelRequestRefused,
        ),
        (
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"no","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
            Code::ModelRequestRefused,
        ),
        (
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"grow slower","details":{"error_code":"ramp_limit_exceeded"}}}"#,
            Code::ModelRateLimited,
        ),
        (
            400,
            r#"{"message":"This model doesn't support tool use in streaming mode."}"#,
            Code::ModelUnsupported,
        ),
        (
            403,
            r#"{"message":"You invoked an unsupported model or your request did not allow prompt caching."}"#,
            Code::ModelUnsupported,
        ),
        (400, r#"{"message":"Input is too long for requested model."}"#, Code::ModelContextExceeded),
        (
            400,
            r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","Message":"no"}"#,
            Code::ModelKeyRefused,
        ),
        (424, r#"{"message":"the model failed","originalStatusCode":500}"#, Code::ModelUnavailable),
        (429, r#"{"message":"Too many tokens, please wait before trying again."}"#, Code::ModelRateLimited),
        (
            429,
            r#"{"message":"Too many tokens per day, please wait before trying again."}"#,
            Code::ModelRequestRefused,
        ),
        (401, "", Code::ModelKeyRefused),
        (402, "{}", Code::ModelRequestRefused),
        (403, r#"{"error":"country"}"#, Code::ModelKeyRefused),
        (404, r#"{"error":{"message":"model not found"}}"#, Code::ModelRequestRefused),
        (408, "", Code::ModelTimeout),
        (413, "<html><body>Too large</body></html>", Code::ModelContextExceeded),
        (422, r#"{"detail":[{"msg":"field required"}]}"#, Code::ModelRequestRefused),
        (429, r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#, Code::ModelRateLimited),
        (429, r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#, Code::ModelRequestRefused),
        (500, "boom", Code::ModelUnavailable),
        (503, "", Code::ModelUnavailable),
        (529, "", Code::ModelUnavailable),
        (
            400,
            r#"{"error":{"code":400,"message":"API key expired.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
            Code::ModelKeyRefused,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
            Code::ModelContextExceeded,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"Unsupported MIME type: image/tiff","status":"INVALID_ARGUMENT"}}"#,
            Code::ModelUnsupported,
        ),
        (
            429,
            r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]}]}}"#,
            Code::ModelRateLimited,
        ),
        (
            429,
            r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}}"#,
            Code::ModelRequestRefused,
        ),
        (499, r#"{"error":{"code":499,"message":"cancelled","status":"CANCELLED"}}"#, Code::ModelUnavailable),
        (
            400,
            r#"{"error":{"message":"Failed to call a function.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"<function"}}"#,
            Code::ModelAnswerInvalid,
        ),
        (
            400,
            r#"{"error":{"message":"The response was filtered","code":"content_filter","param":"prompt","status":400}}"#,
            Code::ModelRequestRefused,
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"Your input was flagged","metadata":{"reasons":["x"],"flagged_input":"y"}}}"#,
            Code::ModelRequestRefused,
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"no","metadata":{"error_type":"permission_denied"}}}"#,
            Code::ModelKeyRefused,
        ),
        (498, r#"{"error":{"message":"full","code":"capacity_exceeded"}}"#, Code::ModelUnavailable),
        (
            400,
            r#"{"error":{"message":"litellm.UnsupportedParamsError: x does not support parameters: ['y']","code":"400"}}"#,
            Code::ModelUnsupported,
        ),
        (
            429,
            r#"{"error":{"message":"Budget has been exceeded!","type":"budget_exceeded","code":"429"}}"#,
            Code::ModelRequestRefused,
        ),
        (
            400,
            r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: x"}"#,
            Code::ModelKeyRefused,
        ),
        (307, "", Code::ModelRequestRefused),
        (418, "", Code::ModelRequestRefused),
    ];
    for (status, body, code) in cases {
        assert_eq!(check(status, body).code(), code, "{status} {body}");
    }
}

#[test]
fn what_is_wrong_with_a_signature_is_explained() {
    let cases = [
        ("Signature expired: 20261122T115000Z is now earlier than 20261122T115500Z", "the clock"),
        ("Signature not yet current: 20261122T121000Z is still later than 20261122T120500Z", "the clock"),
        ("The security token included in the request is expired", "get new ones"),
    ];
    for (message, help) in cases {
        let error = check(403, &serde_json::json!({"message": message}).to_string());
        assert_eq!(error.code(), Code::ModelKeyRefused, "{message}");
        assert!(error.help().unwrap().contains(help), "{error:?}");
    }
}

#[test]
fn the_provider_is_quoted_without_secrets() {
    let cases = [
        (r#"{"error":{"message":"key sk-secret is wrong"}}"#, "key [secret] is wrong"),
        ("<html><style>p{}</style><h1>502</h1>\n<p>Bad gateway</p></html>", "502 Bad gateway"),
        (r#"{"error":"model `x` not found"}"#, "model `x` not found"),
        (r#"{"detail":"Not Found"}"#, "Not Found"),
        (r#"{"unexpected":1}"#, r#"{"unexpected":1}"#),
    ];
    for (body, said) in cases {
        let message = check(502, body).to_string();
        assert_eq!(message, format!("the provider at `api.example.com` answered with status 502: {said}"));
    }
}

#[test]
fn a_complaint_is_found_wherever_it_stands() {
    let cases = [
        (
            r#"{"error":{"message":"a","type":"throttling_error","code":"429"}}"#,
            "a",
            "throttling_error",
            Some(429),
        ),
        (r#"{"object":"error","message":"a","type":"order","code":"3230"}"#, "a", "order", None),
        (r#"{"code":"Busy","error":"a"}"#, "a", "Busy", None),
        (r#"{"error":{"message":"a","code":"x","status_code":400}}"#, "a", "x", Some(400)),
        (r#"{"statusCode":401,"message":"a"}"#, "a", "", Some(401)),
        (
            r#"{"error":{"code":502,"message":"Provider returned error","metadata":{"raw":"down","error_type":"provider_unavailable"}}}"#,
            "Provider returned error: down",
            "provider_unavailable",
            Some(502),
        ),
    ];
    for (body, message, word, status) in cases {
        let found = Complaint::read(body);
        assert_eq!(
            (found.message.as_str(), found.word.as_str(), found.status),
            (message, word, status),
            "{body}"
        );
    }
}

#[test]
fn a_wait_in_the_body_is_kept() {
    let wait = |delay: &str| {
        let details = serde_json::json!([{"reason": "x"}, {"retryDelay": delay}]);
        let body = serde_json::json!({"error": {"code": 429, "message": "slow", "details": details}});
        check(429, &body.to_string()).retry_after()
    };
    let cases = [
        ("22s", Some(22_000)),
        ("0.5s", Some(500)),
        ("22", None),
        ("-1s", None),
        ("1e400s", None),
        ("s", None),
    ];
    for (delay, millis) in cases {
        assert_eq!(wait(delay), millis.map(Duration::from_millis), "{delay}");
    }
}

#[test]
fn the_request_id_is_kept() {
    let peer = Peer::new(&Url::parse("https://api.example.com/v1").unwrap(), &[]);
    let mut headers = HeaderMap::new();
    headers.insert("x-request-id", "req_7".parse().unwrap());
    let error = refusal(&peer, 500, &headers, &Complaint::default());
    assert!(error.message().ends_with("(request `req_7`)"), "{error}");
}
