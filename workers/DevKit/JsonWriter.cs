using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Virtufin.DevKit
{
    /// <summary>
    /// Writes compact JSON in ASCII; everything else is escaped, as Python's json does it, so that the same worker in
    /// both languages writes the same text.
    /// </summary>
    public static class JsonWriter
    {
        /// <summary>Writes a value.</summary>
        /// <param name="value">A value in the forms that <see cref="JsonObject"/> names; its nesting must be bounded
        /// (<see cref="JsonDepth"/>).</param>
        public static string Write(object value)
        {
            var output = new StringBuilder();
            Write(output, value, false);
            return output.ToString();
        }

        /// <summary>Writes a value with the members of objects in ordinal order, so that equal values give equal texts.</summary>
        /// <param name="value">A value as for <see cref="Write(object)"/>.</param>
        public static string WriteSorted(object value)
        {
            var output = new StringBuilder();
            Write(output, value, true);
            return output.ToString();
        }

        private static void Write(StringBuilder output, object value, bool sorted)
        {
            if (value == null)
            {
                output.Append("null");
            }
            else if (value is string)
            {
                WriteString(output, (string)value);
            }
            else if (value is bool)
            {
                output.Append((bool)value ? "true" : "false");
            }
            else if (value is JsonObject)
            {
                WriteObject(output, (JsonObject)value, sorted);
            }
            else if (value is List<object>)
            {
                WriteList(output, (List<object>)value, sorted);
            }
            else if (value is JsonNumber || value is long)
            {
                output.Append(Convert.ToString(value, CultureInfo.InvariantCulture));
            }
            else
            {
                throw new ArgumentException("no JSON value: " + value.GetType().Name);
            }
        }

        private static void WriteObject(StringBuilder output, JsonObject value, bool sorted)
        {
            var names = new List<string>(value.Names);
            if (sorted)
            {
                names.Sort(StringComparer.Ordinal);
            }

            output.Append('{');
            for (int i = 0; i < names.Count; i++)
            {
                if (i > 0)
                {
                    output.Append(',');
                }

                WriteString(output, names[i]);
                output.Append(':');
                Write(output, value.Get(names[i]), sorted);
            }

            output.Append('}');
        }

        private static void WriteList(StringBuilder output, List<object> value, bool sorted)
        {
            output.Append('[');
            for (int i = 0; i < value.Count; i++)
            {
                if (i > 0)
                {
                    output.Append(',');
                }

                Write(output, value[i], sorted);
            }

            output.Append(']');
        }

        private static void WriteString(StringBuilder output, string value)
        {
            output.Append('"');
            foreach (char c in value)
            {
                int plain = "\"\\\b\f\n\r\t".IndexOf(c);
                if (plain >= 0)
                {
                    output.Append('\\').Append("\"\\bfnrt"[plain]);
                }
                else if (c < ' ' || c > '~')
                {
                    output.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
                }
                else
                {
                    output.Append(c);
                }
            }

            output.Append('"');
        }
    }
}
