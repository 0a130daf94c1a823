namespace Virtufin.DevKit
{
    /// <summary>Base64 as RFC 4648, section 4, defines it: the plain alphabet, padded, nothing between.</summary>
    public static class Base64Text
    {
        private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        /// <summary>Whether a text is base64. (Convert.FromBase64String lets white space pass.)</summary>
        /// <param name="text">The text.</param>
        public static bool IsValid(string text)
        {
            int end = text.Length;
            if (end % 4 != 0)
            {
                return false;
            }

            for (int padding = 0; padding < 2 && end > 0 && text[end - 1] == '='; padding++)
            {
                end--;
            }

            for (int i = 0; i < end; i++)
            {
                if (Alphabet.IndexOf(text[i]) < 0)
                {
                    return false;
                }
            }

            return true;
        }
    }
}
