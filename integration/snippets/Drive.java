import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;

/** Does what drive.mjs does, with the snippet in Java. */
final class Drive {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            String[] f = line.split("\\|", -1);
            Instant now = Instant.ofEpochSecond(Long.parseLong(f[3]));
            boolean ok = Webhook.verify(given(f[0]), given(f[1]), given(f[2]), Base64.getDecoder().decode(f[4]), now);
            System.out.println(ok ? "yes" : "no");
        }
    }

    private static String given(String value) {
        return value.isEmpty() ? null : value;
    }
}
