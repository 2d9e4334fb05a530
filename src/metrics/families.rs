//! Every family that is written by hand, with its unit and how old its numbers may be.
//!
//! Counters and histograms of sources and channels are named in `metrics`, where they are counted.

use super::writer::{Family, Shape};

macro_rules! families {
    ($($constant:ident, $shape:ident, $name:literal, $help:literal;)*) => {
        $(
            pub(super) const $constant: Family<'static> = Family {
                name: concat!("notafter_", $name),
                shape: Shape::$shape,
                help: $help,
            };
        )*

        /// Every one of them, for the page that lists them.
        #[cfg(test)]
        pub(super) const ALL: &[Family<'static>] = &[$($constant),*];
    };
}

families! {
    CERTIFICATES, Gauge, "certificates",
        "Certificates known, by kind and status. Cached: as of the last poll.";
    REMAINING, GaugeHistogram, "certificate_remaining_seconds",
        "Seconds that remain to active certificates, negative when they have expired; le=0.0 counts the expired ones, le=-2592000.0 those that expired at least 30 days ago. The distribution now, of what was cached at the last poll: never rate() it.";
    REMAINING_BUCKET, Untyped, "certificate_remaining_seconds_bucket",
        "Active certificates to which at most le seconds remain, cumulative. The distribution now, of what was cached at the last poll: never rate() it.";
    REMAINING_COUNT, Gauge, "certificate_remaining_seconds_gcount",
        "Active certificates in the distribution. Cached: as of the last poll.";
    REMAINING_SUM, Gauge, "certificate_remaining_seconds_gsum",
        "Sum of the seconds that remain to active certificates now; expired ones count negative. Cached: as of the last poll.";
    EXPIRING_IN_MONTH, Gauge, "certificates_expiring_in_month",
        "Active certificates by the UTC month that they expire in. Cached: as of the last poll.";
    EARLIEST, Gauge, "earliest_not_after_timestamp_seconds",
        "When the next active certificate without a successor expires, in Unix seconds; one that expired more than 30 days ago does not count. Cached: as of the last poll.";
    CA_NOT_AFTER, Gauge, "ca_not_after_timestamp_seconds",
        "When a certificate authority expires, by its serial, in Unix seconds; the earliest where several share a serial. Cached: as of the last poll.";
    OUTLIVING, Gauge, "certificates_outliving_issuer",
        "Active certificates that expire after the certificate authority that signed them, by its serial. Cached: as of the last poll.";
    CERTIFICATE, Gauge, "certificate_not_after_timestamp_seconds",
        "When one certificate expires, in Unix seconds; cert is its serial, with the beginning of its fingerprint where two in one place share it. Only those of each source that expire soonest have one, see notafter_certificate_series_omitted. Cached: as of the last poll.";
    CERTIFICATE_BEGIN, Gauge, "certificate_not_before_timestamp_seconds",
        "When one certificate begins to be valid, in Unix seconds; labels as those of notafter_certificate_not_after_timestamp_seconds. Only with `[metrics] not_before`. Cached: as of the last poll.";
    CERTIFICATE_INFO, Info, "certificate_info",
        "What is known of one certificate; always 1. Cached: as of the last poll.";
    SERIES_LIMIT, Gauge, "certificate_series_limit",
        "Certificates of the source that may have series of their own.";
    SERIES_OMITTED, Gauge, "certificate_series_omitted",
        "Certificates of the source with a known notAfter that have no series of their own. Cached: as of the last poll.";

    ADDED, Counter, "certificates_added_total",
        "Certificates seen for the first time, since this process started.";
    GONE, Counter, "certificates_gone_total",
        "Certificates that a proven scan showed to be gone, since this process started.";
    RENEWED, Counter, "certificates_renewed_total",
        "Certificates that got a successor or a later notAfter, since this process started.";

    NOT_DEPLOYED, Gauge, "certificates_not_deployed",
        "Certificates that an endpoint of the source serves, or that its provider says are in use, although a newer one for their names is known in some source. Absent for sources that cannot tell, and while one could not be asked about. Cached: as of the last evaluation.";

    SOURCE_UP, Gauge, "source_up",
        "Whether the last poll of the source succeeded (1) or failed (0). Absent before the first poll has ended.";
    SOURCE_ATTEMPT, Gauge, "source_last_attempt_timestamp_seconds",
        "When the last poll of the source began, in Unix seconds.";
    SOURCE_SUCCESS, Gauge, "source_last_success_timestamp_seconds",
        "When the last successful poll of the source ended, in Unix seconds.";
    SOURCE_PROVEN, Gauge, "source_last_proven_scan_timestamp_seconds",
        "When the last scan that proved itself complete ended, in Unix seconds; 0 until there was one. The window is `near` or `all`.";
    SOURCE_INTERVAL, Gauge, "source_poll_interval_seconds",
        "Seconds between two scans of the window, as configured.";
    SOURCE_DURATION, Gauge, "source_scan_duration_seconds",
        "Seconds that the last scan of the window took.";
    SOURCE_REPORTED, Gauge, "source_reported_certificates",
        "Certificates that the provider says it has. Cached: as of the last scan of the whole scope, or of the near window until there was one.";
    SOURCE_COLLECTED, Gauge, "source_collected_certificates",
        "Distinct certificates that were read. Cached: as of the last scan of the whole scope, or of the near window until there was one.";
    SOURCE_MISSING, Gauge, "source_scan_missing",
        "Certificates that the provider counted and did not list, in the last scan; the larger number where windows differ.";
    SOURCE_PLACES, Gauge, "source_places",
        "Places that the source looked at in its last poll, by what came of it: read, missing, unreadable or broken. Absent for sources that look at none.";
    GLOBS_WITHOUT_MATCH, Gauge, "source_globs_without_match",
        "Globs of the source that matched nothing in its last poll. Absent for sources without globs.";
    SOURCE_CLOCK_OFFSET, Gauge, "source_clock_offset_seconds",
        "The provider's clock minus ours in seconds, from the Date of its last answer.";

    EVENTS, Counter, "events_total",
        "Events that were decided, by kind and by why they were.";
    SNOOZES, Gauge, "snoozes",
        "Snoozes that hold, by whether they hush something (active) or nothing (idle). Cached: as of the last look, an hour at most.";
    SNOOZED, Gauge, "snoozed_certificates",
        "Certificates on a rung of which nothing is said because of a snooze. Cached: as of the last look, an hour at most.";
    DEFAULT_ROUTE, Counter, "events_default_route_total",
        "Events that no route but the last chose.";
    HEARTBEAT, Gauge, "heartbeat_last_success_timestamp_seconds",
        "When the heartbeat last said that all is well and was taken, in Unix seconds. Absent until it was.";
    HEARTBEAT_INTERVAL, Gauge, "heartbeat_interval_seconds",
        "Seconds between two heartbeats, as configured. Absent without a heartbeat.";
    ALERTS_ACTIVE, Gauge, "alerts_active",
        "Certificates that stand on a rung of the ladder. Cached: as of the last evaluation.";
    PENDING, Gauge, "notifications_pending",
        "Events that wait to be delivered to the channel.";
    OLDEST_PENDING, Gauge, "notifications_oldest_pending_timestamp_seconds",
        "When the oldest event that waits for the channel was decided, in Unix seconds. Absent when none waits.";
    GIVEN_UP, Gauge, "notifications_dead",
        "Messages to the channel that were given up and need somebody: neither said again since, nor sent again or dropped by hand.";
    DELIVERED, Gauge, "notifications_last_success_timestamp_seconds",
        "When the channel last delivered a message, in Unix seconds.";
    DAILY, Gauge, "digest_last_success_timestamp_seconds",
        "When the channel last delivered a daily digest, in Unix seconds.";
    CHANNEL_UP, Gauge, "channel_up",
        "Whether the channel delivers (1) or is down (0). Absent before the first verdict.";

    STORE_UP, Gauge, "store_up",
        "Whether the store took what was last written (1) or cannot write now (0): a full disk, a lock that another program holds, or no answer for 10 seconds. Nothing is lost meanwhile.";
    AUDIT_BYTES, Gauge, "audit_bytes",
        "Bytes of what happened that are kept, by estimate. Cached: as of the last look, every 10 minutes.";
    AUDIT_DROPPED, Counter, "audit_dropped_total",
        "Entries of what happened that were dropped before their 400 days, because of audit_max. Cached: as of the last look.";
    BUILD, Info, "build_info",
        "Which build of notafter this is; always 1.";
    RELOAD_OK, Gauge, "config_last_reload_successful",
        "Whether the last attempt to load the configuration succeeded (1) or failed (0).";
    RELOAD_AT, Gauge, "config_last_reload_success_timestamp_seconds",
        "When the configuration was last loaded successfully, in Unix seconds.";
}
