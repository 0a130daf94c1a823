using System;
using System.Collections.Generic;

namespace Virtufin.DevKit
{
    /// <summary>
    /// A JSON object that keeps the order of its members. A value is a string, a bool, a <see cref="JsonNumber"/>, a
    /// long, null, a <c>List&lt;object&gt;</c> or another <see cref="JsonObject"/>.
    /// </summary>
    public sealed class JsonObject
    {
        private readonly Dictionary<string, object> values = new Dictionary<string, object>(StringComparer.Ordinal);
        private readonly List<string> names = new List<string>();

        /// <summary>The names in the order in which they were first set.</summary>
        public IEnumerable<string> Names
        {
            get { return names; }
        }

        /// <summary>Number of members.</summary>
        public int Count
        {
            get { return names.Count; }
        }

        /// <summary>The value of a member: null when it is not there or is null.</summary>
        /// <param name="name">Name of the member.</param>
        public object Get(string name)
        {
            object value;
            return values.TryGetValue(name, out value) ? value : null;
        }

        /// <summary>Sets a member; the last of two values of one name counts.</summary>
        /// <param name="name">Name of the member.</param>
        /// <param name="value">Its value.</param>
        /// <returns>This object, so that calls can be chained.</returns>
        public JsonObject Set(string name, object value)
        {
            if (!values.ContainsKey(name))
            {
                names.Add(name);
            }

            values[name] = value;
            return this;
        }

        /// <summary>Sets a member unless the value is null.</summary>
        /// <param name="name">Name of the member.</param>
        /// <param name="value">Its value, or null to leave the member out.</param>
        /// <returns>This object, so that calls can be chained.</returns>
        public JsonObject SetIfGiven(string name, object value)
        {
            return value == null ? this : Set(name, value);
        }
    }
}
