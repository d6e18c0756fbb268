// Owns docs/topics.md: the contract as a person reads it.
import { TOPICS, type TopicDefinition } from '@monitor-mesh/shared/contract.ts';
import { filterOf } from '@monitor-mesh/shared/topic.ts';

const age = (seconds: number | undefined): string => {
  if (seconds === undefined) return 'no limit';
  if (seconds % 86_400 === 0) return `${seconds / 86_400} d`;
  if (seconds % 3_600 === 0) return `${seconds / 3_600} h`;
  return `${seconds} s`;
};

function section(key: string, topic: TopicDefinition): string {
  const to = topic.to.map((party) => ((topic.durable as readonly string[]).includes(party) ? `**${party}**` : party));
  const example = topic.format === 'text' ? String(topic.example) : JSON.stringify(topic.example);
  return `## \`${topic.pattern}\`

${topic.summary}

| | |
|---|---|
| in code | \`${key}\` |
| subscribe with | \`${filterOf(topic.pattern)}\` |
| QoS | ${topic.qos} |
| retained | ${topic.retain ? 'yes' : 'no'} |
| delivered for | ${age(topic.max_age_s)} |
| from | ${topic.from.join(', ')} |
| to (durable in bold) | ${to.join(', ')} |

\`\`\`
${example}
\`\`\`
`;
}

export function topicsPage(): string {
  return `<!-- Made by \`make docs\` from shared/src/contract.ts. Do not edit. -->

# Topics

Every topic of the mesh. A durable consumer has a session before its first visit: what is published for it waits, whether
it runs or not. Topics outside these first levels are free to every client that is logged in, as on any broker.

Levels in braces hold one value with \`/ + # %\` and NUL percent-encoded. Instants are ISO 8601 in UTC. Every message
carries its identity in the MQTT 5 user property \`mid\`; the broker adds it where a client did not.

${Object.entries(TOPICS)
  .map(([key, topic]) => section(key, topic))
  .join('\n')}`;
}
