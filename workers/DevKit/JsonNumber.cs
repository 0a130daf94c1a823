namespace Virtufin.DevKit
{
    /// <summary>A JSON number as it was written, so that passing it on changes no digit.</summary>
    public sealed class JsonNumber
    {
        /// <summary>Keeps the number.</summary>
        /// <param name="text">The number in JSON's notation.</param>
        public JsonNumber(string text)
        {
            Text = text;
        }

        /// <summary>The number in JSON's notation.</summary>
        public string Text { get; }

        /// <inheritdoc />
        public override string ToString()
        {
            return Text;
        }
    }
}
