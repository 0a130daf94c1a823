using System.Collections.Generic;
using System.Globalization;

namespace Virtufin.DevKit
{
    /// <summary>
    /// The fields of one command. A field that is null counts as not given. Whatever is missing or of the wrong type is
    /// a <see cref="CommandException"/> that names the field; values are not shown, for they may be secret.
    /// </summary>
    public sealed class Command
    {
        private readonly JsonObject fields;

        /// <summary>Wraps the data of an event.</summary>
        /// <param name="fields">The JSON object that holds the command.</param>
        public Command(JsonObject fields)
        {
            this.fields = fields;
        }

        /// <summary>A string that must be there and must not be empty.</summary>
        /// <param name="field">Name of the field.</param>
        public string Text(string field)
        {
            string text = AsText(field, Required(field));
            if (text.Length == 0)
            {
                throw CommandException.Invalid("field \"" + field + "\" must not be empty");
            }

            return text;
        }

        /// <summary>A string that may be left out: null when it is, or when it is empty.</summary>
        /// <param name="field">Name of the field.</param>
        public string OptionalText(string field)
        {
            object value = fields.Get(field);
            string text = value == null ? string.Empty : AsText(field, value);
            return text.Length == 0 ? null : text;
        }

        /// <summary>A string in base64 that must be there; it may be empty.</summary>
        /// <param name="field">Name of the field.</param>
        /// <returns>The string, still in base64.</returns>
        public string Base64(string field)
        {
            string text = AsText(field, Required(field));
            if (!Base64Text.IsValid(text))
            {
                throw CommandException.Invalid("field \"" + field + "\" is no base64");
            }

            return text;
        }

        /// <summary>A boolean that may be left out: null when it is.</summary>
        /// <param name="field">Name of the field.</param>
        public bool? OptionalFlag(string field)
        {
            object value = fields.Get(field);
            if (value != null && !(value is bool))
            {
                throw WrongType(field, "a boolean", value);
            }

            return (bool?)value;
        }

        /// <summary>A whole number from 0 to 4294967295 (a uint32) that may be left out: null when it is.</summary>
        /// <param name="field">Name of the field.</param>
        public long? OptionalUInt32(string field)
        {
            const string Wanted = "a whole number from 0 to 4294967295";
            object value = fields.Get(field);
            if (value == null)
            {
                return null;
            }

            var number = value as JsonNumber;
            if (number == null)
            {
                throw WrongType(field, Wanted, value);
            }

            long result;
            if (!long.TryParse(number.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out result)
                || result < 0 || result > uint.MaxValue)
            {
                throw CommandException.Invalid("field \"" + field + "\" must be " + Wanted + ", not " + number.Text);
            }

            return result;
        }

        /// <summary>A list of strings, at least one, that must be there.</summary>
        /// <param name="field">Name of the field.</param>
        public List<object> Texts(string field)
        {
            object value = Required(field);
            var items = value as List<object>;
            if (items == null)
            {
                throw WrongType(field, "a list of strings", value);
            }

            if (items.Count == 0)
            {
                throw CommandException.Invalid("field \"" + field + "\" must not be empty");
            }

            for (int i = 0; i < items.Count; i++)
            {
                AsText(field + "[" + i.ToString(CultureInfo.InvariantCulture) + "]", items[i]);
            }

            return items;
        }

        /// <summary>An object whose values are strings that may be left out: null when it is, or when it is empty.</summary>
        /// <param name="field">Name of the field.</param>
        public JsonObject OptionalTextMap(string field)
        {
            object value = fields.Get(field);
            if (value == null)
            {
                return null;
            }

            var map = value as JsonObject;
            if (map == null)
            {
                throw WrongType(field, "an object with strings", value);
            }

            foreach (string name in map.Names)
            {
                AsText(field + "." + name, map.Get(name));
            }

            return map.Count == 0 ? null : map;
        }

        private static string AsText(string field, object value)
        {
            var text = value as string;
            if (text == null)
            {
                throw WrongType(field, "a string", value);
            }

            return text;
        }

        private static CommandException WrongType(string field, string wanted, object value)
        {
            return CommandException.Invalid("field \"" + field + "\" must be " + wanted + ", not " + JsonKind.Of(value));
        }

        private object Required(string field)
        {
            object value = fields.Get(field);
            if (value == null)
            {
                throw CommandException.Invalid("field \"" + field + "\" is missing");
            }

            return value;
        }
    }
}
