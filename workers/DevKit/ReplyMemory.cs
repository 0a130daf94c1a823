using System;
using System.Collections.Generic;

namespace Virtufin.DevKit
{
    /// <summary>
    /// The last replies, so that a command that comes twice is answered twice but run once. Bounded in time, number and
    /// characters; the oldest go first. Not thread-safe. The time is an argument.
    /// </summary>
    public sealed class ReplyMemory
    {
        /// <summary>How long a reply is kept.</summary>
        public const long KeepMilliseconds = 10 * 60 * 1000;

        /// <summary>How many replies are kept at most.</summary>
        public const int MaxReplies = 4096;

        /// <summary>How many characters the kept replies have at most together; a longer one is not kept.</summary>
        public const int MaxCharacters = 4 * 1024 * 1024;

        private readonly Dictionary<string, string> replies = new Dictionary<string, string>(StringComparer.Ordinal);
        // Oldest first. (Queue<T> is not where every runtime looks for it.)
        private readonly List<Entry> entries = new List<Entry>();
        private long characters;

        /// <summary>The reply that was remembered under a key: null when there is none any more.</summary>
        /// <param name="key">The key.</param>
        /// <param name="nowMilliseconds">The time, from any fixed moment.</param>
        public string Find(string key, long nowMilliseconds)
        {
            while (entries.Count > 0 && nowMilliseconds - entries[0].Milliseconds >= KeepMilliseconds)
            {
                Forget();
            }

            string reply;
            return replies.TryGetValue(key, out reply) ? reply : null;
        }

        /// <summary>Keeps a reply under a key that is not in use.</summary>
        /// <param name="key">The key.</param>
        /// <param name="reply">The reply.</param>
        /// <param name="nowMilliseconds">The time, from the same moment as for <see cref="Find"/>.</param>
        public void Remember(string key, string reply, long nowMilliseconds)
        {
            if (key.Length + reply.Length > MaxCharacters)
            {
                return;
            }

            replies.Add(key, reply);
            entries.Add(new Entry(key, nowMilliseconds));
            characters += key.Length + reply.Length;
            while (entries.Count > MaxReplies || characters > MaxCharacters)
            {
                Forget();
            }
        }

        private void Forget()
        {
            string key = entries[0].Key;
            entries.RemoveAt(0);
            characters -= key.Length + replies[key].Length;
            replies.Remove(key);
        }

        private sealed class Entry
        {
            public Entry(string key, long milliseconds)
            {
                Key = key;
                Milliseconds = milliseconds;
            }

            public string Key { get; }

            public long Milliseconds { get; }
        }
    }
}
