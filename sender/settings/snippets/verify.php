<?php
// Keep the secret out of your code: read it from the environment, say.
const WEBHOOK_SECRET = '{{secret}}';

// Tells whether a request is authentic and no older than five minutes. $headers
// have lower-case names: array_change_key_case(getallheaders()). $body must be
// the bytes that arrived: file_get_contents('php://input'). The webhook-id stays
// the same when an event is delivered again: use it to drop duplicates.
function verify_webhook(array $headers, string $body, ?int $now = null): bool
{
    $id = $headers['webhook-id'] ?? '';
    $timestamp = $headers['webhook-timestamp'] ?? '';
    if ($id === '' || !ctype_digit($timestamp) || abs(($now ?? time()) - (int) $timestamp) > 300) {
        return false;
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', WEBHOOK_SECRET), true);
    $want = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $headers['webhook-signature'] ?? '') as $signature) {
        if (hash_equals($want, $signature)) {
            return true;
        }
    }
    return false;
}
