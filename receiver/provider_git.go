package receiver

import "github.com/manysends/caddy-webhooks/webhook"

// gitProviders host code, build it, run it and watch it.
var gitProviders = []provider{
	{
		Provider: Provider{
			Name: "bitbucket", Title: "Bitbucket Cloud",
			Description:  "Webhooks of Bitbucket Cloud; the secret is the webhook's.",
			Source:       "https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/",
			Experimental: true,
		},
		template: &Template{
			Signature: []Place{{Header: "X-Hub-Signature", Prefix: "sha256="}},
			ID:        []Place{{Header: "X-Request-UUID"}},
			Type:      []Place{{Header: "X-Event-Key"}},
		},
	},
	{
		Provider: Provider{
			Name: "bitbucket_server", Title: "Bitbucket Data Center",
			Description: "Webhooks of Bitbucket Server and Data Center; the secret is the webhook's.",
			Source:      "https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Hub-Signature", Prefix: "sha256="}},
			ID:        []Place{{Header: "X-Request-Id"}},
			Type:      []Place{{Header: "X-Event-Key"}},
		},
	},
	{
		Provider: Provider{
			Name: "buildkite", Title: "Buildkite",
			Description: "Webhooks of Buildkite with a signature rather than a token; the secret is the webhook's token.",
			Source:      "https://buildkite.com/docs/apis/webhooks",
		},
		template: &Template{
			Content:   "{timestamp}.{body}",
			Signature: []Place{{Header: "X-Buildkite-Signature", List: ",", Prefix: "signature="}},
			Timestamp: []Place{{Header: "X-Buildkite-Signature", List: ",", Prefix: "timestamp="}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "circleci", Title: "CircleCI",
			Description:  "Webhooks of CircleCI; the secret is the webhook's secret token.",
			Source:       "https://circleci.com/docs/webhooks/#validate-webhooks",
			Experimental: true,
		},
		template: &Template{
			Signature: []Place{{Header: "Circleci-Signature", List: ",", Prefix: "v1="}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
	{
		Provider: Provider{
			Name: "forgejo", Title: "Forgejo",
			Description: "Webhooks of Forgejo and Codeberg; the secret is the webhook's.",
			Source:      "https://forgejo.org/docs/latest/user/webhooks/",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Forgejo-Signature"}, {Header: "X-Gitea-Signature"}},
			ID:        []Place{{Header: "X-Forgejo-Delivery"}, {Header: "X-Gitea-Delivery"}},
			Type:      []Place{{Header: "X-Forgejo-Event"}, {Header: "X-Gitea-Event"}},
		},
	},
	{
		Provider: Provider{
			Name: "gitea", Title: "Gitea",
			Description: "Webhooks of Gitea; the secret is the webhook's.",
			Source:      "https://docs.gitea.com/usage/webhooks",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Gitea-Signature"}},
			ID:        []Place{{Header: "X-Gitea-Delivery"}},
			Type:      []Place{{Header: "X-Gitea-Event"}},
		},
	},
	{
		Provider: Provider{
			Name: "github", Title: "GitHub",
			Description: "Webhooks of GitHub repositories, organizations and Apps; the secret is the webhook's.",
			Source:      "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Hub-Signature-256", Prefix: "sha256="}},
			ID:        []Place{{Header: "X-GitHub-Delivery"}},
			Type:      []Place{{Header: "X-GitHub-Event"}},
		},
	},
	{
		Provider: Provider{
			Name: "gitlab", Title: "GitLab",
			Description: "Webhooks of GitLab with a signing token; the secret is that token (whsec_…).",
			Source:      "https://docs.gitlab.com/user/project/integrations/webhooks/",
			Timestamped: true, IDSigned: true,
		},
		standard:  true,
		id:        source{header: webhook.HeaderID},
		claims:    []claimOf{claimID},
		eventType: source{member: "object_kind"},
	},
	{
		Provider: Provider{
			Name: "gitlab_token", Title: "GitLab",
			Description: "Webhooks of GitLab with a secret token, which is sent as it is: it signs nothing, so prefer provider gitlab where GitLab offers a signing token.",
			Source:      "https://docs.gitlab.com/user/project/integrations/webhooks/",
		},
		template: &Template{
			Algorithm: algorithmToken,
			Signature: []Place{{Header: "X-Gitlab-Token"}},
			ID:        []Place{{Header: "X-Gitlab-Event-UUID"}},
			Type:      []Place{{Header: "X-Gitlab-Event"}},
		},
	},
	{
		Provider: Provider{
			Name: "gogs", Title: "Gogs",
			Description: "Webhooks of Gogs; the secret is the webhook's.",
			Source:      "https://gogs.io/docs/features/webhook",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Gogs-Signature"}},
			ID:        []Place{{Header: "X-Gogs-Delivery"}},
			Type:      []Place{{Header: "X-Gogs-Event"}},
		},
	},
	{
		Provider: Provider{
			Name: "heroku", Title: "Heroku",
			Description:  "App webhooks of Heroku; the secret is the subscription's.",
			Source:       "https://devcenter.heroku.com/articles/app-webhooks#securing-webhooks",
			Experimental: true,
		},
		template: &Template{
			Encoding:  encodingBase64,
			Signature: []Place{{Header: "Heroku-Webhook-Hmac-SHA256"}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "resource"}},
		},
	},
	{
		Provider: Provider{
			Name: "launchdarkly", Title: "LaunchDarkly",
			Description:  "Webhooks of LaunchDarkly; the secret is the webhook's.",
			Source:       "https://launchdarkly.com/docs/home/infrastructure/webhooks",
			Experimental: true,
		},
		template: &Template{
			Signature: []Place{{Header: "X-LD-Signature"}},
			ID:        []Place{{JSON: "_id"}},
			Type:      []Place{{JSON: "kind"}},
		},
	},
	{
		Provider: Provider{
			Name: "npm", Title: "npm",
			Description:  "Hooks of the npm registry; the secret is the hook's.",
			Source:       "https://github.com/npm/npm-hook-receiver",
			Experimental: true,
		},
		template: &Template{
			Signature: []Place{{Header: "X-Npm-Signature", Prefix: "sha256="}},
			Type:      []Place{{JSON: "event"}},
		},
	},
	{
		Provider: Provider{
			Name: "pagerduty", Title: "PagerDuty",
			Description: "Webhooks V3 of PagerDuty; the secret is the subscription's.",
			Source:      "https://developer.pagerduty.com/docs/verifying-webhook-signatures",
		},
		template: &Template{
			Signature: []Place{{Header: "X-PagerDuty-Signature", List: ",", Prefix: "v1="}},
			ID:        []Place{{JSON: "event.id"}},
			Type:      []Place{{JSON: "event.event_type"}},
		},
	},
	{
		Provider: Provider{
			Name: "pulumi", Title: "Pulumi Cloud",
			Description: "Webhooks of Pulumi Cloud; the secret is the webhook's.",
			Source:      "https://www.pulumi.com/docs/pulumi-cloud/webhooks/",
		},
		template: &Template{
			Signature: []Place{{Header: "Pulumi-Webhook-Signature"}},
			ID:        []Place{{Header: "Pulumi-Webhook-ID"}},
			Type:      []Place{{Header: "Pulumi-Webhook-Kind"}},
		},
	},
	{
		Provider: Provider{
			Name: "sentry", Title: "Sentry",
			Description: "Webhooks of Sentry integrations; the secret is the integration's client secret.",
			Source:      "https://docs.sentry.io/organization/integrations/integration-platform/webhooks/",
		},
		template: &Template{
			Signature: []Place{{Header: "Sentry-Hook-Signature"}},
			ID:        []Place{{Header: "Request-ID"}},
			Type:      []Place{{Header: "Sentry-Hook-Resource"}},
		},
	},
	{
		Provider: Provider{
			Name: "snyk", Title: "Snyk",
			Description: "Webhooks of Snyk; the secret is the webhook's.",
			Source:      "https://docs.snyk.io/snyk-api/using-specific-snyk-apis/webhooks-apis/validate-payloads",
		},
		template: &Template{
			Signature: []Place{{Header: "X-Hub-Signature", Prefix: "sha256="}},
			ID:        []Place{{Header: "X-Snyk-Transport-ID"}},
			Type:      []Place{{Header: "X-Snyk-Event"}},
		},
	},
	{
		Provider: Provider{
			Name: "sonatype", Title: "Sonatype Nexus Repository",
			Description: "Webhooks of Nexus Repository; the secret is the capability's secret key.",
			Source:      "https://help.sonatype.com/en/working-with-hmac-payloads.html",
		},
		template: &Template{
			Algorithm: algorithmHMACSHA1,
			Signature: []Place{{Header: "X-Nexus-Webhook-Signature"}},
			ID:        []Place{{Header: "X-Nexus-Webhook-Delivery"}},
			Type:      []Place{{Header: "X-Nexus-Webhook-Id"}},
		},
	},
	{
		Provider: Provider{
			Name: "terraform", Title: "HCP Terraform",
			Description: "Run notifications of HCP Terraform and Terraform Enterprise; the secret is the notification's token.",
			Source:      "https://developer.hashicorp.com/terraform/cloud-docs/api-docs/notification-configurations",
		},
		template: &Template{
			Algorithm: algorithmHMACSHA512,
			Signature: []Place{{Header: "X-TFE-Notification-Signature"}},
			Type:      []Place{{JSON: "notifications.0.trigger"}},
		},
	},
	{
		Provider: Provider{
			Name: "vercel", Title: "Vercel",
			Description: "Webhooks of Vercel; the secret is the one shown when the webhook is made, or the integration's client secret.",
			Source:      "https://vercel.com/docs/webhooks/webhooks-api#securing-webhooks",
		},
		template: &Template{
			Algorithm: algorithmHMACSHA1,
			Signature: []Place{{Header: "X-Vercel-Signature"}},
			ID:        []Place{{JSON: "id"}},
			Type:      []Place{{JSON: "type"}},
		},
	},
}
