require "openssl"

# Keep the secret out of your code: read it from the environment, say.
SECRET = "{{secret}}"

# Tells whether a request is authentic and no older than five minutes. body must
# be the bytes that arrived, before anything has parsed them (Rails:
# request.raw_post, Rack: request.body.read); in Rails and Rack the headers are
# request.get_header("HTTP_WEBHOOK_ID") and so on. The id stays the same when an
# event is delivered again: use it to drop duplicates.
def verify_webhook(id, timestamp, signatures, body, now = Time.now.to_i)
  return false if id.to_s.empty? || !/\A\d+\z/.match?(timestamp.to_s)
  return false if (now - timestamp.to_i).abs > 300

  key = SECRET.delete_prefix("whsec_").unpack1("m")
  want = "v1," + [OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.".b + body.b)].pack("m0")
  signatures.to_s.split(" ").any? { |signature| OpenSSL.secure_compare(signature, want) }
end
