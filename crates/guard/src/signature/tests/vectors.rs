//! Messages that are signed as each scheme says.

use super::*;

/// Name, scheme, secret, headers.
pub(super) type Vector = (&'static str, Scheme, &'static str, Vec<(&'static str, &'static str)>);

pub(super) fn vectors() -> Vec<Vector> {
    vec![
        (
            "standard webhooks",
            preset(Preset::StandardWebhooks),
            "whsec_Y29uY29yZC10ZXN0LXNlY3JldC0wMDAx",
            vec![
                ("Webhook-Id", "msg_1"),
                ("Webhook-Timestamp", "1700000000"),
                ("Webhook-Signature", "v1,Hxv4q0XcY/oSmxGShxDGkcQC0S7y4kmDBT77si3x3U0="),
            ],
        ),
        (
            "svix, secret without prefix",
            preset(Preset::StandardWebhooks),
            "Y29uY29yZC10ZXN0LXNlY3JldC0wMDAx",
            vec![
                ("svix-id", "msg_1"),
                ("svix-timestamp", "1700000000"),
                ("svix-signature", "v1,Hxv4q0XcY/oSmxGShxDGkcQC0S7y4kmDBT77si3x3U0="),
            ],
        ),
        (
            "stripe",
            preset(Preset::Stripe),
            KEY,
            vec![(
                "Stripe-Signature",
                "t=1700000000,v1=1676c46683069f46d37cc942af83eb49ad89bdf9ff71dc2503558f7766779887",
            )],
        ),
        (
            "hubspot v3",
            preset(Preset::HubspotV3),
            KEY,
            vec![
                ("X-HubSpot-Signature-v3", "0xovl9iBTHtqaVFPmg7Aty665gmZnXZCwUN67/OHXD0="),
                ("X-HubSpot-Request-Timestamp", "1700000000000"),
            ],
        ),
        (
            "hubspot v1",
            preset(Preset::HubspotV1),
            KEY,
            vec![("X-HubSpot-Signature", "56455f4da7819e62bb05a9b75b1d232ff8ec5d3386aa6367a2d9f32c1d49a220")],
        ),
        (
            "shopify",
            preset(Preset::Shopify),
            KEY,
            vec![("X-Shopify-Hmac-Sha256", "8VR+bCREltZCLZLn+THh0RLjGIQzcIIFiZNyiFFRNoI=")],
        ),
        (
            "xero",
            scheme(r#"{"signed":{"headers":["x-xero-signature"],"encoding":"base64","template":"{body}"}}"#),
            KEY,
            vec![("x-xero-signature", "8VR+bCREltZCLZLn+THh0RLjGIQzcIIFiZNyiFFRNoI=")],
        ),
        (
            "zendesk",
            scheme(
                r#"{"signed":{"headers":["x-zendesk-webhook-signature"],"encoding":"base64",
                "template":"{timestamp}{body}",
                "timestamp":{"headers":["x-zendesk-webhook-signature-timestamp"],"unit":"iso"}}}"#,
            ),
            KEY,
            vec![
                ("X-Zendesk-Webhook-Signature", "ZjkzWUqA62Cr5WpLFoybDEgGEg8lCePMbZKyf2P0ueI="),
                ("X-Zendesk-Webhook-Signature-Timestamp", "2023-11-14T22:13:20Z"),
            ],
        ),
        (
            "customer.io",
            scheme(
                r#"{"signed":{"headers":["x-cio-signature"],"template":"v0:{timestamp}:{body}",
                "timestamp":{"headers":["x-cio-timestamp"]}}}"#,
            ),
            KEY,
            vec![
                ("X-CIO-Signature", "7e8433c66901ba641d98de145dd64b99bb5b2b4b4fa643ae28f14cd701b9be4d"),
                ("X-CIO-Timestamp", "1700000000"),
            ],
        ),
        (
            "klaviyo",
            scheme(
                r#"{"signed":{"headers":["klaviyo-signature"],"template":"{body}{timestamp}",
                "timestamp":{"headers":["klaviyo-timestamp"],"tolerance_s":60}}}"#,
            ),
            KEY,
            vec![
                ("Klaviyo-Signature", "7d89cdd272578d6079849c7064e53bd521ed9e5622d85c4df92fa010af9221fb"),
                ("Klaviyo-Timestamp", "1700000000"),
            ],
        ),
        (
            "intuit",
            scheme(r#"{"signed":{"headers":["intuit-signature"],"encoding":"base64","template":"{body}"}}"#),
            KEY,
            vec![("intuit-signature", "8VR+bCREltZCLZLn+THh0RLjGIQzcIIFiZNyiFFRNoI=")],
        ),
        (
            "github, the older header",
            scheme(
                r#"{"signed":{"headers":["x-hub-signature"],"algorithm":"hmac_sha1","form":{"plain":{"prefix":"sha1="}},
                "template":"{body}"}}"#,
            ),
            KEY,
            vec![("X-Hub-Signature", "sha1=68e28fa75d2cadf1e0705511f18d4d29bf3c8eb7")],
        ),
        (
            "sha-1 in base64 over method and body",
            scheme(
                r#"{"signed":{"headers":["x-signature"],"algorithm":"hmac_sha1","encoding":"base64","template":"{method}{body}"}}"#,
            ),
            KEY,
            vec![("X-Signature", "jVdI4IyiHH/KRoIUWbVE+GxS8sA=")],
        ),
        (
            "paddle: pairs with semicolons",
            scheme(
                r#"{"signed":{"headers":["paddle-signature"],"form":{"pairs":{"signature":"h1","timestamp":"ts","separator":";"}},
                "template":"{timestamp}:{body}","timestamp":{"tolerance_s":5}}}"#,
            ),
            KEY,
            vec![(
                "Paddle-Signature",
                "ts=1700000000;h1=55c4581b3df559a8d2a360a4cc447415b2928cf929d5ca4f3402703838714975",
            )],
        ),
        (
            "slack: a prefix",
            scheme(
                r#"{"signed":{"headers":["x-slack-signature"],"form":{"plain":{"prefix":"v0="}},"template":"v0:{timestamp}:{body}",
                "timestamp":{"headers":["x-slack-request-timestamp"]}}}"#,
            ),
            KEY,
            vec![
                ("X-Slack-Signature", "v0=7e8433c66901ba641d98de145dd64b99bb5b2b4b4fa643ae28f14cd701b9be4d"),
                ("X-Slack-Request-Timestamp", "1700000000"),
            ],
        ),
        (
            "paystack: sha-512 in hex",
            scheme(
                r#"{"signed":{"headers":["x-paystack-signature"],"algorithm":"hmac_sha512","template":"{body}"}}"#,
            ),
            KEY,
            vec![(
                "x-paystack-signature",
                "045cb762e7c65c842b3c3f0a849299e9ef180192860067f78a33939617c4799940d967192a62995cbc56fa04af04c0b00a2d82783938ce6f423b4e136d850734",
            )],
        ),
        (
            "sha-512 in base64url with padding",
            scheme(
                r#"{"signed":{"headers":["x-signature"],"algorithm":"hmac_sha512","encoding":"base64url","template":"{body}"}}"#,
            ),
            KEY,
            vec![(
                "x-signature",
                "BFy3YufGXIQrPD8KhJKZ6e8YAZKGAGf3ijOTlhfEeZlA2WcZKmKZXLxW-gSvBMCwCi2CeDk4zm9CO04TbYUHNA==",
            )],
        ),
        (
            "sha-256 in base64url without padding",
            scheme(r#"{"signed":{"headers":["x-signature"],"encoding":"base64url","template":"{body}"}}"#),
            KEY,
            vec![("x-signature", "8VR-bCREltZCLZLn-THh0RLjGIQzcIIFiZNyiFFRNoI")],
        ),
    ]
}
