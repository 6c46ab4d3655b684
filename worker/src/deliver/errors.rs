//! What a provider's refusal means for us: the table of error codes.

use shared::db::delivery::Verdict;
use shared::whatsapp::Provider;

/// The verdict on a refusal with `code`, in the answer to a request with the status `http` or, without that, in a status that
/// came later. What nobody knows is final: sending again what a provider refuses does not make it better.
pub fn classify(provider: Provider, http: Option<u16>, code: Option<i64>) -> Verdict {
    let known = code.and_then(|code| match provider {
        Provider::Meta => meta(code),
        Provider::Twilio => twilio(code),
    });
    known
        .or_else(|| http.and_then(by_status))
        .unwrap_or(Verdict::Final)
}

/// Meta's codes (Cloud API, "Error codes"); those of the design's table first, others by their description there.
fn meta(code: i64) -> Option<Verdict> {
    Some(match code {
        // Too many messages or calls of ours.
        130_429 | 4 | 80_007 => Verdict::SenderWaits,
        // Meta's own trouble.
        1 | 2 => Verdict::BackOff,
        131_056 => Verdict::RecipientWaits,
        131_047 => Verdict::WindowClosed,
        190 | 0 | 10 => Verdict::TokenRefused,
        131_026 | 130_472 | 131_049 | 131_051 | 100 => Verdict::Final,
        // Spam limit of the number; something went wrong; service or server not available; account in maintenance.
        131_048 | 131_000 | 131_016 | 133_004 | 131_057 => Verdict::BackOff,
        // A permission is missing; the account is restricted, locked, unpaid or not registered: all messages would fail.
        3 | 200..=299 | 131_005 | 131_031 | 368 | 131_042 | 131_045 | 133_010 => Verdict::TokenRefused,
        _ => return None,
    })
}

/// Twilio's codes ("Error and warning dictionary").
fn twilio(code: i64) -> Option<Verdict> {
    Some(match code {
        63_016 => Verdict::WindowClosed,
        63_018 | 429 | 20_429 => Verdict::SenderWaits,
        21_617 => Verdict::Final,
        // Queue overflow; the channel's own trouble.
        30_001 | 63_012 => Verdict::BackOff,
        // Not authenticated; account suspended; our number is none of the channel's.
        20_003 | 20_005 | 30_002 | 63_007 => Verdict::TokenRefused,
        _ => return None,
    })
}

/// Where the body says nothing that is known.
fn by_status(status: u16) -> Option<Verdict> {
    Some(match status {
        429 => Verdict::SenderWaits,
        401 | 403 => Verdict::TokenRefused,
        // A redirect is nothing that a provider sends, and a proxy that does may be gone tomorrow.
        300..=399 | 408 | 425 | 500.. => Verdict::BackOff,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_table_has_its_verdict_as_an_answer_and_as_a_status() {
        use Provider::{Meta, Twilio};
        use Verdict as V;
        let table: &[(Provider, &[i64], Verdict)] = &[
            (Meta, &[130_429, 4, 80_007], V::SenderWaits),
            (Meta, &[1, 2], V::BackOff),
            (Meta, &[131_056], V::RecipientWaits),
            (Meta, &[131_047], V::WindowClosed),
            (Meta, &[190, 0, 10], V::TokenRefused),
            (Meta, &[131_026, 130_472, 131_049, 131_051, 100], V::Final),
            (Twilio, &[63_016], V::WindowClosed),
            (Twilio, &[63_018, 429], V::SenderWaits),
            (Twilio, &[21_617], V::Final),
        ];
        for (provider, codes, verdict) in table {
            for code in *codes {
                for http in [None, Some(400), Some(500)] {
                    assert_eq!(
                        classify(*provider, http, Some(*code)),
                        *verdict,
                        "{provider} {http:?} {code}"
                    );
                }
            }
        }
    }

    #[test]
    fn without_a_code_that_is_known_the_status_decides_and_what_nobody_knows_is_final() {
        for provider in [Provider::Meta, Provider::Twilio] {
            for code in [None, Some(999_999)] {
                let verdict = |http| classify(provider, http, code);
                assert_eq!(verdict(Some(500)), Verdict::BackOff);
                assert_eq!(verdict(Some(503)), Verdict::BackOff);
                assert_eq!(verdict(Some(429)), Verdict::SenderWaits);
                assert_eq!(verdict(Some(401)), Verdict::TokenRefused);
                assert_eq!(verdict(Some(400)), Verdict::Final);
                assert_eq!(verdict(None), Verdict::Final);
            }
        }
    }
}
