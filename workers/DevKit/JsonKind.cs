namespace Virtufin.DevKit
{
    /// <summary>Names what sort of JSON value one is, for messages.</summary>
    public static class JsonKind
    {
        /// <summary>The kind of a value, with its article.</summary>
        /// <param name="value">A value in the forms that <see cref="JsonObject"/> names.</param>
        public static string Of(object value)
        {
            if (value == null)
            {
                return "null";
            }

            if (value is string)
            {
                return "a string";
            }

            if (value is bool)
            {
                return "a boolean";
            }

            if (value is JsonNumber)
            {
                return "a number";
            }

            return value is JsonObject ? "an object" : "a list";
        }
    }
}
