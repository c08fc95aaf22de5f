import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

final class Webhook {
    // Keep the secret out of your code: read it from the environment, say.
    private static final String SECRET = "{{secret}}";

    // Tells whether a request is authentic and no older than five minutes. The
    // first three are the headers webhook-id, webhook-timestamp and
    // webhook-signature. body must be the bytes that arrived, before anything
    // has parsed them (Spring: @RequestBody byte[]). The id stays the same when
    // an event is delivered again: use it to drop duplicates.
    static boolean verify(String id, String timestamp, String signatures, byte[] body, Instant now)
            throws GeneralSecurityException {
        if (id == null || id.isEmpty() || signatures == null
                || timestamp == null || !timestamp.matches("[0-9]{1,18}")
                || Math.abs(now.getEpochSecond() - Long.parseLong(timestamp)) > 300) {
            return false;
        }
        byte[] key = Base64.getDecoder().decode(SECRET.replaceFirst("^whsec_", ""));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        mac.update((id + "." + timestamp + ".").getBytes(StandardCharsets.UTF_8));
        byte[] want = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body))).getBytes(StandardCharsets.UTF_8);
        for (String signature : signatures.split(" ")) {
            if (MessageDigest.isEqual(signature.getBytes(StandardCharsets.UTF_8), want)) {
                return true;
            }
        }
        return false;
    }
}
