<?php
// Does what drive.mjs does, with the snippet in PHP.
declare(strict_types=1);

require __DIR__ . '/verify.php';

while (($line = fgets(STDIN)) !== false) {
    [$id, $timestamp, $signatures, $now, $body] = explode('|', rtrim($line, "\n"));
    $headers = array_filter(
        ['webhook-id' => $id, 'webhook-timestamp' => $timestamp, 'webhook-signature' => $signatures],
        fn (string $value): bool => $value !== '',
    );
    echo verify_webhook($headers, base64_decode($body, true), (int) $now) ? 'yes' : 'no', "\n";
}
