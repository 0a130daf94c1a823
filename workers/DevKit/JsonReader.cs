using System.Collections.Generic;
using System.Text;

namespace Virtufin.DevKit
{
    /// <summary>
    /// Reads JSON as RFC 8259 defines it, nothing more; half a surrogate pair is refused (RFC 7493, section 2.1). It
    /// keeps its own stack, so that deep nesting cannot overflow the thread's, which would end the process.
    /// </summary>
    public sealed class JsonReader
    {
        private readonly string text;
        private int position;

        private JsonReader(string text)
        {
            this.text = text;
        }

        /// <summary>Reads one value that fills the whole text.</summary>
        /// <param name="text">The JSON text; null is an error like any other text that is no JSON.</param>
        /// <returns>The value, in the forms that <see cref="JsonObject"/> names.</returns>
        /// <exception cref="JsonException">The text is no JSON.</exception>
        public static object Read(string text)
        {
            return new JsonReader(text ?? string.Empty).ReadDocument();
        }

        private object ReadDocument()
        {
            var open = new List<Container>(); // a stack: Stack<T> is not where every runtime looks for it
            while (true)
            {
                object value = ReadScalarOrOpening();
                var inner = Container.Of(value);
                if (inner != null && !Take(inner.End))
                {
                    ReadNameFor(inner);
                    open.Add(inner);
                    continue;
                }

                // The value is complete: hand it to its container, and end those that are complete with it.
                while (true)
                {
                    if (open.Count == 0)
                    {
                        SkipSpace();
                        if (position != text.Length)
                        {
                            throw Wrong("more than one value");
                        }

                        return value;
                    }

                    Container outer = open[open.Count - 1];
                    outer.Add(value);
                    if (Take(','))
                    {
                        ReadNameFor(outer);
                        break;
                    }

                    Expect(outer.End);
                    value = outer.Value;
                    open.RemoveAt(open.Count - 1);
                }
            }
        }

        private object ReadScalarOrOpening()
        {
            SkipSpace();
            char first = position < text.Length ? text[position] : '\0';
            if (first == '{')
            {
                position++;
                return new JsonObject();
            }

            if (first == '[')
            {
                position++;
                return new List<object>();
            }

            if (first == '"')
            {
                return ReadString();
            }

            if (first == '-' || IsDigit(first))
            {
                return ReadNumber();
            }

            if (TakeWord("true"))
            {
                return true;
            }

            if (TakeWord("false"))
            {
                return false;
            }

            if (TakeWord("null"))
            {
                return null;
            }

            throw Wrong("no value");
        }

        private void ReadNameFor(Container container)
        {
            if (container.End == '}')
            {
                SkipSpace();
                container.Name = ReadString();
                Expect(':');
            }
        }

        private string ReadString()
        {
            if (position >= text.Length || text[position] != '"')
            {
                throw Wrong("no string");
            }

            position++;
            var result = new StringBuilder();
            while (position < text.Length)
            {
                char c = text[position++];
                if (c == '"')
                {
                    return Complete(result.ToString());
                }

                if (c < ' ')
                {
                    throw Wrong("a control character in a string");
                }

                result.Append(c == '\\' ? ReadEscape() : c);
            }

            throw Wrong("a string without an end");
        }

        private string Complete(string value)
        {
            for (int i = 0; i < value.Length; i++)
            {
                if (char.IsSurrogatePair(value, i))
                {
                    i++;
                }
                else if (char.IsSurrogate(value[i]))
                {
                    throw Wrong("half a surrogate pair");
                }
            }

            return value;
        }

        private char ReadEscape()
        {
            char c = position < text.Length ? text[position++] : '\0';
            int plain = "\"\\/bfnrt".IndexOf(c);
            if (plain >= 0)
            {
                return "\"\\/\b\f\n\r\t"[plain];
            }

            int code = c == 'u' ? ReadHex4() : -1;
            if (code >= 0)
            {
                return (char)code;
            }

            throw Wrong("an unknown escape");
        }

        private int ReadHex4()
        {
            int code = 0;
            for (int i = 0; i < 4; i++)
            {
                int digit = position < text.Length ? "0123456789abcdef".IndexOf(char.ToLowerInvariant(text[position++])) : -1;
                if (digit < 0)
                {
                    return -1;
                }

                code = (code * 16) + digit;
            }

            return code;
        }

        private JsonNumber ReadNumber()
        {
            int start = position;
            if (text[position] == '-')
            {
                position++;
            }

            if (position < text.Length && text[position] == '0')
            {
                position++;
            }
            else
            {
                ReadDigits();
            }

            if (position < text.Length && text[position] == '.')
            {
                position++;
                ReadDigits();
            }

            if (position < text.Length && (text[position] == 'e' || text[position] == 'E'))
            {
                position++;
                if (position < text.Length && (text[position] == '+' || text[position] == '-'))
                {
                    position++;
                }

                ReadDigits();
            }

            return new JsonNumber(text.Substring(start, position - start));
        }

        private void ReadDigits()
        {
            int start = position;
            while (position < text.Length && IsDigit(text[position]))
            {
                position++;
            }

            if (position == start)
            {
                throw Wrong("no digit");
            }
        }

        private static bool IsDigit(char c)
        {
            return c >= '0' && c <= '9';
        }

        private void SkipSpace()
        {
            while (position < text.Length && " \t\n\r".IndexOf(text[position]) >= 0)
            {
                position++;
            }
        }

        private bool Take(char c)
        {
            SkipSpace();
            if (position < text.Length && text[position] == c)
            {
                position++;
                return true;
            }

            return false;
        }

        private bool TakeWord(string word)
        {
            if (string.CompareOrdinal(text, position, word, 0, word.Length) != 0)
            {
                return false;
            }

            position += word.Length;
            return true;
        }

        private void Expect(char c)
        {
            if (!Take(c))
            {
                throw Wrong("no '" + c + "'");
            }
        }

        private JsonException Wrong(string what)
        {
            return new JsonException(what, position);
        }

        /// <summary>An object or a list that is being filled.</summary>
        private sealed class Container
        {
            private readonly JsonObject members;
            private readonly List<object> items;

            private Container(JsonObject members, List<object> items)
            {
                this.members = members;
                this.items = items;
            }

            public string Name { private get; set; }

            public char End
            {
                get { return members != null ? '}' : ']'; }
            }

            public object Value
            {
                get { return (object)members ?? items; }
            }

            public static Container Of(object value)
            {
                var members = value as JsonObject;
                var items = value as List<object>;
                return members == null && items == null ? null : new Container(members, items);
            }

            public void Add(object value)
            {
                if (members != null)
                {
                    members.Set(Name, value);
                }
                else
                {
                    items.Add(value);
                }
            }
        }
    }
}
