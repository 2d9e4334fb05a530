use std::time::Duration;

use super::*;
use crate::fault::{Fault, Times};
use crate::fleet::Fleet;
use crate::{Service, Setup};

fn services() -> Services {
    Services::new(Setup::new(Fleet::new(1, 1_800_000_000)))
}

fn get(address: &str) -> Request<Bytes> {
    Request::get(address).body(Bytes::new()).unwrap()
}

const TOKENS: &str = "https://apim-ppe1.envisioniot.com/apim-token-service/v2.0/token/get";

#[tokio::test]
async fn every_vendor_answers_under_its_own_host() {
    let services = services();
    for (address, status, said) in [
        ("https://mqtt.tencentcloudapi.com/", 200, "UnsupportedProtocol"),
        ("https://ssl.tencentcloudapi.com/", 200, "UnsupportedProtocol"),
        (TOKENS, 404, "no such API"),
        ("https://open.feishu.cn/open-apis/bot/v2/hook/x", 405, ""),
        ("https://hooks.slack.com/services/T/B/x", 405, ""),
        ("https://oapi.dingtalk.com/robot/send?access_token=x", 405, ""),
        ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x", 405, ""),
        ("https://receiver.example.com/webhook/ops", 405, ""),
        ("https://discord.com/api/webhooks/1/x", 405, ""),
        (
            "https://prod-1.westeurope.logic.azure.com/workflows/1/triggers/manual/paths/invoke",
            405,
            "",
        ),
        ("https://mattermost.example.com/hooks/x", 405, ""),
        ("https://chat.googleapis.com/v1/spaces/S/messages?key=k&token=t", 405, ""),
        ("https://api.telegram.org/bot1:x/sendMessage", 405, ""),
        ("https://ntfy.sh/", 405, ""),
        ("https://events.pagerduty.com/v2/enqueue", 405, ""),
        ("https://receiver.example.com/elsewhere", 404, ""),
    ] {
        let answer = services.carry(get(address)).await.unwrap();
        let body = std::str::from_utf8(answer.body()).unwrap();
        assert_eq!(answer.status(), status, "{address}");
        assert!(body.contains(said), "{address}: {body}");
    }
    let nobody = services.carry(get("https://example.com/")).await;
    assert_eq!(nobody.unwrap_err(), Broken::NoSuchHost);
}

#[tokio::test(start_paused = true)]
async fn an_answer_breaks_as_it_does_on_the_wire() {
    let services = services();
    for (fault, expected) in [
        (Fault::Reset, Err(Broken::Reset)),
        (Fault::ResetInBody, Err(Broken::Truncated)),
        (Fault::Truncate, Err(Broken::Truncated)),
        (Fault::Oversize { bytes: 5000, declared: false }, Ok(5000)),
        (Fault::GzipBomb { bytes: 5000 }, Ok(5000)),
    ] {
        services.fault(Service::Enos, fault.clone(), Times::Once);
        let answer = services.carry(get(TOKENS)).await;
        let blanks = |answer: Response<Bytes>| {
            answer.body().iter().take_while(|byte| byte.is_ascii_whitespace()).count()
        };
        assert_eq!(answer.map(blanks), expected, "{fault:?}");
        services.heal();
    }
    services.fault(Service::Enos, Fault::Hang, Times::Once);
    let hangs = tokio::time::timeout(Duration::from_hours(1), services.carry(get(TOKENS))).await;
    assert!(hangs.is_err(), "it answers: {hangs:?}");
}
