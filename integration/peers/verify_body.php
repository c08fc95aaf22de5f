<?php
// Verifies the signature inside the body with one line of string slicing.
//
// Reads the lines that verify.mjs reads, and writes one JSON object for each:
// {"id": "evt_...", "body_ok": true, "error": ""}
declare(strict_types=1);

// What the documentation shows. $key is the decoded secret.
$verify_body = fn (string $body, string $key): bool => hash_equals(',"signature":"sha256=' . hash_hmac('sha256', substr($body, 0, -87) . '}', $key) . '"}', substr($body, -87));

while (($line = fgets(STDIN)) !== false) {
    if (trim($line) === '') {
        continue;
    }
    $result = ['id' => null, 'body_ok' => false, 'error' => ''];
    try {
        $delivery = json_decode($line, true, 512, JSON_THROW_ON_ERROR);
        foreach ($delivery['headers'] as $name => $value) {
            if (strtolower((string) $name) === 'webhook-id') {
                $result['id'] = implode(', ', (array) $value);
            }
        }
        $body = base64_decode($delivery['body_base64'], true);
        $key = base64_decode(preg_replace('/^whsec_/', '', $delivery['secret']), true);
        if ($body === false || $key === false) {
            throw new ValueError('base64 is malformed');
        }
        $result['body_ok'] = $verify_body($body, $key);
        if (!$result['body_ok']) {
            $result['error'] = 'body: signature mismatch';
        }
    } catch (Throwable $e) {
        $result['error'] = 'input: ' . $e->getMessage();
    }
    echo json_encode($result, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE), "\n";
}
