using System;

namespace Virtufin.DevKit
{
    /// <summary>A text that is no JSON (RFC 8259).</summary>
    public sealed class JsonException : Exception
    {
        /// <summary>Says what is wrong and where.</summary>
        /// <param name="message">What is wrong.</param>
        /// <param name="position">Offset in the text, in characters from 0.</param>
        public JsonException(string message, int position)
            : base(message + " at character " + position)
        {
        }
    }
}
