//! How often a robot may post before its service refuses.

use std::collections::{HashMap, VecDeque};

use super::Service;

const MINUTE: i64 = 60_000;

/// When each robot was last used.
#[derive(Default)]
pub(super) struct Rates {
    used: HashMap<(Service, String), VecDeque<i64>>,
    blocked_until: HashMap<(Service, String), i64>,
}

impl Rates {
    /// Counts one request at `now` and returns whether it is one too many.
    pub(super) fn exceeded(&mut self, robot: (Service, String), now: i64, speed: u32) -> bool {
        let speed = i64::from(speed.max(1));
        let minute = MINUTE / speed;
        let (per_minute, per_second) = limits(robot.0);
        if self.blocked_until.get(&robot).is_some_and(|until| now < *until) {
            return true;
        }
        let used = self.used.entry(robot.clone()).or_default();
        while used.front().is_some_and(|at| *at + minute <= now) {
            used.pop_front();
        }
        let in_second = used.iter().filter(|at| **at + minute / 60 > now).count();
        let exceeded = used.len() >= per_minute || in_second >= per_second;
        if !exceeded {
            used.push_back(now);
        } else if robot.0 == Service::DingTalk {
            // One too many blocks the robot for ten minutes.
            self.blocked_until.insert(robot, now + 10 * minute);
        }
        exceeded
    }
}

/// Returns how many messages a minute and a second pass.
fn limits(service: Service) -> (usize, usize) {
    match service {
        // About one a second, with short bursts.
        Service::Slack => (60, 5),
        Service::Feishu => (100, 5),
        Service::DingTalk | Service::WeCom => (20, usize::MAX),
        Service::Discord => (30, 3),
        Service::Telegram => (20, 1),
        Service::Mattermost => (60, 10),
        Service::GoogleChat => (60, 1),
        Service::Ntfy => (60, 60),
        Service::Teams => (60, 4),
        Service::PagerDuty => (120, usize::MAX),
        Service::Webhook => (usize::MAX, usize::MAX),
    }
}
