package webhook

import "encoding/json"

// ManySendsEventTypes is the catalogue of ManySends, in the order and under
// the headings of its settings page, with a sample of each: all samples are of
// one conversation, its message, agent and label. It is the default catalogue
// of a sender. The slice and the samples are new at each call.
func ManySendsEventTypes() []EventType {
	return []EventType{
		{"conversation.created", "Conversation", "A new conversation was started.", json.RawMessage(`{"id":"conv_123","status":"open","inbox_id":1,"contact_id":456}`)},
		{"conversation.status_changed", "Conversation", "The status of a conversation changed.", json.RawMessage(`{"id":"conv_123","status":"pending","inbox_id":1,"contact_id":456,"previous_status":"open"}`)},
		{"conversation.assigned", "Conversation", "A conversation was assigned to an agent or a team.", json.RawMessage(`{"id":"conv_123","status":"open","inbox_id":1,"contact_id":456,"assignee":{"type":"agent","id":7,"name":"Sam Lee"}}`)},
		{"conversation.resolved", "Conversation", "A conversation was marked as resolved.", json.RawMessage(`{"id":"conv_123","status":"resolved","inbox_id":1,"contact_id":456,"previous_status":"open"}`)},
		{"conversation.reopened", "Conversation", "A resolved conversation was opened again.", json.RawMessage(`{"id":"conv_123","status":"open","inbox_id":1,"contact_id":456,"previous_status":"resolved"}`)},
		{"message.created", "Message", "A message was sent or received.", json.RawMessage(`{"id":"msg_789","conversation_id":"conv_123","inbox_id":1,"contact_id":456,"direction":"incoming","content_type":"text","content":"Where is my order?","status":"received","sender":{"type":"contact","id":456,"name":"Jane Doe"}}`)},
		{"message.updated", "Message", "A message was edited, or its delivery status changed.", json.RawMessage(`{"id":"msg_789","conversation_id":"conv_123","inbox_id":1,"contact_id":456,"direction":"incoming","content_type":"text","content":"Where is my order 1001?","status":"received","sender":{"type":"contact","id":456,"name":"Jane Doe"}}`)},
		{"message.deleted", "Message", "A message was deleted.", json.RawMessage(`{"id":"msg_789","conversation_id":"conv_123","inbox_id":1,"contact_id":456}`)},
		{"message.reaction_added", "Message", "A reaction was added to a message.", json.RawMessage(`{"id":"msg_789","conversation_id":"conv_123","inbox_id":1,"contact_id":456,"reaction":{"emoji":"👍","sender":{"type":"agent","id":7,"name":"Sam Lee"}}}`)},
		{"message.reaction_removed", "Message", "A reaction was removed from a message.", json.RawMessage(`{"id":"msg_789","conversation_id":"conv_123","inbox_id":1,"contact_id":456,"reaction":{"emoji":"👍","sender":{"type":"agent","id":7,"name":"Sam Lee"}}}`)},
		{"agent.created", "Agent", "An agent was added to the account.", json.RawMessage(`{"id":7,"name":"Sam Lee","email":"sam@example.com","role":"agent","status":"offline"}`)},
		{"agent.updated", "Agent", "The details of an agent changed.", json.RawMessage(`{"id":7,"name":"Samantha Lee","email":"sam@example.com","role":"agent","status":"online"}`)},
		{"agent.deleted", "Agent", "An agent was removed from the account.", json.RawMessage(`{"id":7,"name":"Sam Lee","email":"sam@example.com","role":"agent","status":"offline"}`)},
		{"agent.status_changed", "Agent", "An agent went online, busy or offline.", json.RawMessage(`{"id":7,"name":"Sam Lee","email":"sam@example.com","role":"agent","status":"busy","previous_status":"online"}`)},
		{"label.created", "Label", "A label was created.", json.RawMessage(`{"id":12,"title":"billing","color":"#1f93ff","description":"Questions about invoices"}`)},
		{"label.updated", "Label", "A label was renamed or recoloured.", json.RawMessage(`{"id":12,"title":"invoices","color":"#1f93ff","description":"Questions about invoices"}`)},
		{"label.deleted", "Label", "A label was deleted.", json.RawMessage(`{"id":12,"title":"billing","color":"#1f93ff","description":"Questions about invoices"}`)},
		{"conversation.labeled", "Label", "A label was put on a conversation, or taken off it.", json.RawMessage(`{"id":"conv_123","status":"open","inbox_id":1,"contact_id":456,"action":"added","label":{"id":12,"title":"billing"},"labels":["billing"]}`)},
	}
}
